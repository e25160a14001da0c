"""The whole config is checked, and no content makes the check raise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.config.check import check
from pyroadrunner.config.errors import ConfigError, Fault
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.config import EndureConfig
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.rpc.config import RpcConfig
from pyroadrunner.plugins.server.config import ServerConfig

MODELS: dict[str, type[msgspec.Struct]] = {
    "http": HttpConfig,
    "rpc": RpcConfig,
    "server": ServerConfig,
    "endure": EndureConfig,
}


def raw(data: dict[str, Any]) -> RawConfig:
    return RawConfig.from_dict(data, "test")


def test_present_sections_become_their_models_and_absent_ones_do_not() -> None:
    checked = check(raw({"version": "3", "rpc": {"listen": "unix://rr.sock"}, "endure": None}), MODELS)
    assert checked.sections == {"rpc": RpcConfig(listen="unix://rr.sock")}
    assert checked.faults == []
    assert checked.warnings == []
    checked.refuse_faults()


def test_errors_of_all_sections_are_reported_together() -> None:
    checked = check(raw({"rpc": 5, "server": {}, "http": {"raw_body": "x"}}), MODELS)
    assert [fault.path for fault in checked.faults] == ["rpc", "server.command", "http.raw_body"]
    assert checked.sections == {}
    with pytest.raises(ConfigError) as refused:
        checked.refuse_faults()
    assert len(str(refused.value).splitlines()) == 3


def test_unknown_keys_that_may_explain_the_errors_are_reported_with_them() -> None:
    checked = check(raw({"server": {"comand": "php worker.php"}, "http": {"access_logs": "maybe"}}), MODELS)
    with pytest.raises(ConfigError) as refused:
        checked.refuse_faults()
    text = str(refused.value)
    assert text.index("server.command: is required") < text.index("warning: ")
    assert text.endswith("warning: test: server.comand: unknown key; did you mean `command`?")
    assert len(refused.value.faults) == 2


@pytest.mark.parametrize(
    ("section", "kind", "text"),
    [
        ("htp", "unknown", "unknown section; did you mean `http`?"),
        ("zzzzzz", "unknown", "unknown section"),
        ("nsq", "unbuilt", "known, but not part of this version (connection of the nsq jobs driver); ignored"),
        ("reload", "unbuilt", "removed in RoadRunner"),
    ],
)
def test_a_section_without_a_model_is_a_warning(section: str, kind: str, text: str) -> None:
    checked = check(raw({section: {"a": 1}}), MODELS)
    (warning,) = checked.warnings
    assert warning.kind == kind
    assert text in str(warning)
    assert checked.faults == []


def test_sections_for_anchors_are_ignored() -> None:
    assert check(raw({"x-pool": {"num_workers": 1}}), MODELS).warnings == []


def test_a_section_with_a_model_is_not_reported_as_unbuilt() -> None:
    class Kv(msgspec.Struct):
        pass

    assert check(raw({"kv": {}}), {"kv": Kv}).warnings == []


def test_workers_without_a_server_are_a_warning() -> None:
    (warning,) = check(raw({"http": {"address": ":80"}}), MODELS).warnings
    assert str(warning) == "test: http: not started: its workers need the section `server`; add `server.command`"


def test_notices_of_the_loader_are_warnings() -> None:
    notice = Fault(message="odd", kind="doubtful")
    origin = raw({}).origin(())
    assert check(RawConfig({}, {}, root=origin, notices=(notice,)), MODELS).warnings == [notice]


def test_the_flags_of_octane_are_accepted() -> None:
    data = {
        "http": {
            "address": "127.0.0.1:8000",
            "pool": {"num_workers": "0", "max_jobs": "500", "supervisor": {"exec_ttl": "30s"}},
            "middleware": "static",
        },
        "server": {"command": "/usr/bin/php,/app/vendor/bin/roadrunner-worker"},
    }
    sections = check(raw(data), MODELS).sections
    http, server = sections["http"], sections["server"]
    assert isinstance(http, HttpConfig)
    assert isinstance(server, ServerConfig)
    assert server.command == ["/usr/bin/php", "/app/vendor/bin/roadrunner-worker"]
    assert http.middleware == ["static"]
    assert http.pool.max_jobs == 500
    assert http.pool.supervisor is not None
    assert http.pool.supervisor.exec_ttl == 30.0


_KNOWN = "http rpc server endure jobs pool supervisor command env num_workers max_jobs exec_ttl listen middleware"
_KEYS = st.sampled_from([*_KNOWN.split(), "debug", "codec", "uploads", "on_init", "version"]) | st.text(max_size=5)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**310)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["5", "0x", "1h", "60", "php 'x", "a,b", "yes", "9" * 5000])
)
_TREES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5))


@given(st.dictionaries(_KEYS, _TREES, max_size=5))
def test_the_check_never_raises_for_any_data(data: dict[str, Any]) -> None:
    checked = check(raw(data), MODELS)
    present = {name for name in MODELS if data.get(name) is not None}
    faulty = {fault.path.split(".")[0].split("[")[0] for fault in checked.faults}
    assert set(checked.sections) == present - faulty
    assert all(str(fault) for fault in [*checked.faults, *checked.warnings])
