"""The section: defaults, addresses, faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.centrifuge.config import CentrifugeConfig


def read(**keys: Any) -> tuple[CentrifugeConfig | None, list[str]]:
    reader = SectionReader(lambda _path: Origin(kind="built-in", source="test"))
    config = reader.read(CentrifugeConfig, keys, ("centrifuge",))
    assert config is None or isinstance(config, CentrifugeConfig)
    return config, [f"{fault.path}: {fault.message}" for fault in reader.faults]


def section(**keys: Any) -> CentrifugeConfig:
    config, faults = read(**keys)
    assert config is not None, faults
    return config


def test_defaults_are_those_of_roadrunner() -> None:
    config = section()
    assert (config.proxy_address, config.api_target) == ("tcp://127.0.0.1:30000", "127.0.0.1:10000")
    assert (config.use_compressor, config.tls, config.sub_refresh_type) == (False, None, "subrefresh")


def test_ignored_keys_are_accepted_with_any_value() -> None:
    assert section(name="roadrunner", version=1.0).name == "roadrunner"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("tcp://centrifugo:10000", "centrifugo:10000"),
        ("[::1]:10000", "[::1]:10000"),
        ("unix:/run/api.sock", "unix:/run/api.sock"),
        ("unix:///run/api.sock", "unix:///run/api.sock"),
        ("dns:///centrifugo:10000", "dns:///centrifugo:10000"),
    ],
)
def test_addresses_of_the_api(address: str, target: str) -> None:
    assert section(grpc_api_address=address).api_target == target


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"proxy_address": "127.0.0.1"}, "centrifuge.proxy_address: invalid socket DSN"),
        ({"proxy_address": "udp://:1"}, "centrifuge.proxy_address: invalid socket DSN"),
        ({"grpc_api_address": "https://a:1"}, "centrifuge.grpc_api_address: is `https://a:1`; write host:port"),
        ({"grpc_api_address": "a:0"}, "centrifuge.grpc_api_address: needs the port"),
        ({"api_key": "two words"}, "centrifuge.api_key: has blanks or characters that are not ASCII"),
        ({"api_key": "a\nb"}, "centrifuge.api_key: has blanks"),
        ({"sub_refresh_type": "sub"}, "centrifuge.sub_refresh_type: "),
        ({"tls": {"cert": "a"}}, "centrifuge.tls.key: is missing"),
        ({"tls": {"key": "a"}}, "centrifuge.tls.cert: is missing"),
        ({"api_timeout": "soon"}, "centrifuge.api_timeout: "),
        ({"pool": {"num_workers": 501}}, "centrifuge.pool.num_workers: "),
    ],
)
def test_faults_are_named_by_their_key(keys: dict[str, Any], fault: str) -> None:
    _, faults = read(**keys)
    assert [found[: len(fault)] for found in faults] == [fault]


def test_the_check_looks_at_the_files(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    config = section(tls={"cert": missing, "key": missing, "root_ca": missing})
    assert {key for key, _ in config.absent()} == {"tls.cert", "tls.key", "tls.root_ca"}
    assert not list(config.doubtful())
    assert not list(section(tls={}).absent())
