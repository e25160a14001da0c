"""The ``kv`` section: the driver of a storage determines its settings, wherever they are."""

from __future__ import annotations

from typing import Any

import msgspec

from pyroadrunner.config.check import Checked, check
from pyroadrunner.config.effective import effective
from pyroadrunner.config.jsonschema import json_schema
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.kv.config import (
    BoltdbConfig,
    BoltdbStorage,
    KvConfig,
    MemcachedConfig,
    MemoryConfig,
    MemoryStorage,
)
from pyroadrunner.plugins.kv.storages import make_stores
from pyroadrunner.plugins.rpc.config import RpcConfig
from pyroadrunner.remote.redis.config import RedisConfig, TlsConfig

MODELS: dict[str, type[msgspec.Struct]] = {"kv": KvConfig, "rpc": RpcConfig}


def checked(config: dict[str, Any]) -> Checked:
    return check(RawConfig.from_dict(config, "test"), MODELS)


def storages(kv: dict[str, Any]) -> dict[str, Any]:
    looked = checked({"kv": kv})
    assert looked.faults == []
    section = looked.sections["kv"]
    assert isinstance(section, KvConfig)
    return section.storages


def test_the_driver_determines_the_settings() -> None:
    found = storages(
        {
            "a": {"driver": "memory", "config": {"max_items": "5"}},
            "b": {"driver": "boltdb", "config": {"file": "x.db", "permissions": 0o600}},
            "c": {"driver": "memcached", "config": {"addr": "one:1,two:2"}},
            "d": {
                "driver": "redis",
                "config": {"addrs": ["one:1"], "dial_timeout": "1s", "tls": {"root_ca": "ca.pem"}},
            },
            "e": {"driver": "memory"},
            "f": {"driver": "memory", "config": None},
        }
    )
    assert found["a"] == MemoryStorage(config=MemoryConfig(max_items=5))
    assert found["b"].config == BoltdbConfig(file="x.db", permissions=0o600)
    assert found["c"].config == MemcachedConfig(addr=["one:1", "two:2"])
    assert found["d"].config == RedisConfig(addrs=["one:1"], dial_timeout=1.0, tls=TlsConfig(root_ca="ca.pem"))
    assert found["e"].config is None
    assert found["f"].config is None


def test_a_driver_is_required() -> None:
    (fault,) = checked({"kv": {"x": {"config": {}}}}).faults
    assert str(fault) == "test: kv.x.driver: is required; expected memory or boltdb or memcached or redis"


def test_unknown_drivers_and_invalid_storages_are_left_out_with_a_warning() -> None:
    looked = checked({"kv": {"x": {"driver": "redid"}, "y": 5, "z": {"driver": "memory"}}})
    assert looked.faults == []
    assert looked.sections["kv"] == KvConfig(storages={"z": MemoryStorage()})
    unknown, flat = map(str, looked.warnings)
    assert 'kv.x.driver: unknown driver "redid"; `kv.x` is ignored; did you mean `redis`?' in unknown
    assert "kv.y: ignored: it is 5, not a map with a `driver`" in flat


def test_errors_inside_settings_are_named_by_their_key() -> None:
    looked = checked({"kv": {"x": {"driver": "boltdb", "config": {"interval": 0, "fil": "x"}}}})
    assert [fault.path for fault in looked.faults] == ["kv.x.config.interval"]
    assert [warning.path for warning in looked.warnings] == ["kv.x.config.fil"]


def test_a_certificate_needs_its_key() -> None:
    looked = checked({"kv": {"x": {"driver": "redis", "config": {"tls": {"cert": "c.pem"}}}}})
    assert [fault.path for fault in looked.faults] == ["kv.x.config.tls.key"]


def test_a_storage_without_settings_uses_the_section_of_its_name() -> None:
    looked = checked({"cache": {"file": "x.db", "interval": "5", "fiel": 1}, "kv": {"cache": {"driver": "boltdb"}}})
    assert looked.sections["kv"] == KvConfig(storages={"cache": BoltdbStorage()})
    assert looked.sections["cache"] == BoltdbConfig(file="x.db", interval=5)
    assert [warning.path for warning in looked.warnings] == ["cache.fiel"]
    (fault,) = checked({"cache": {"interval": "no"}, "kv": {"cache": {"driver": "boltdb"}}}).faults
    assert fault.path == "cache.interval"


def test_its_own_settings_take_precedence_and_the_section_is_unused() -> None:
    config = {"redis": {"addrs": "x:1"}, "kv": {"redis": {"driver": "redis", "config": {}}}}
    looked = checked(config)
    assert "redis" not in looked.sections
    (warning,) = looked.warnings
    assert "redis: unused: no storage" in str(warning)


def test_a_storage_named_like_a_plugin_does_not_use_its_section() -> None:
    looked = checked({"rpc": {"listen": "unix://x"}, "kv": {"rpc": {"driver": "memory"}}})
    assert looked.sections["rpc"] == RpcConfig(listen="unix://x")
    config = looked.sections["kv"]
    assert isinstance(config, KvConfig)

    class Whole:
        def as_dict(self) -> dict[str, Any]:
            return {}

        def section(self, name: str) -> msgspec.Struct | None:
            return looked.sections.get(name)

    assert repr(make_stores(config, Whole())) == "{'rpc': MemoryStore(0 items)}"


def test_the_effective_config_shows_driver_settings_and_defaults_and_hides_passwords() -> None:
    config = {"kv": {"a": {"driver": "redis", "config": {"password": "secret"}}, "b": {"driver": "memory"}}}
    raw = RawConfig.from_dict(config, "test")
    leaves = {leaf.path: leaf.value for leaf in effective(raw, check(raw, MODELS), MODELS)}
    assert leaves["kv", "a", "driver"] == "redis"
    assert leaves["kv", "b", "driver"] == "memory"
    assert leaves["kv", "a", "config", "password"] == "***"
    assert leaves["kv", "a", "config", "db"] == 0
    assert "secret" not in repr(leaves)


def test_the_schema_has_one_variant_per_driver() -> None:
    options = json_schema(MODELS)["properties"]["kv"]["additionalProperties"]["anyOf"]
    drivers = {option["properties"]["driver"]["const"]: option for option in options}
    assert sorted(drivers) == ["boltdb", "memcached", "memory", "redis"]
    assert all(option["required"] == ["driver"] for option in options)
