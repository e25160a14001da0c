"""The ``http`` section as a whole: keys that depend on each other."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.check import Checked, check
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.rpc.config import RpcConfig


def checked(section: str, **keys: Any) -> Checked:
    config = {section: keys, "server": {"command": "php worker.php"}}
    return check(RawConfig.from_dict(config, "test"), {"http": HttpConfig, "rpc": RpcConfig})


@pytest.mark.parametrize(
    ("section", "keys", "path", "message"),
    [
        ("http", {"address": "8080"}, "http.address", "`8080` is no address; write host:port"),
        ("http", {"address": ":99999"}, "http.address", "`:99999` has no such port"),
        ("http", {"fcgi": {"address": "unix://"}}, "http.fcgi.address", "`unix://` has no path"),
        ("rpc", {"listen": "6001"}, "rpc.listen", "invalid socket DSN (tcp://:6001, unix://file.sock): `6001`"),
    ],
)
def test_an_invalid_address_is_a_fault_of_its_key(section: str, keys: dict[str, Any], path: str, message: str) -> None:
    (fault,) = checked(section, **keys).faults
    assert fault.path == path
    assert fault.message.startswith(message)


def test_unknown_middleware_is_like_an_unknown_key_and_skipped() -> None:
    found = checked("http", address=":8080", middleware=["headers", "gzipp", "mine", "package.module:Class", "cash"],
                    custom={"mine": {"class": "package.module:Class"}})  # fmt: skip
    assert found.faults == []
    warnings = [warning for warning in found.warnings if warning.path.startswith("http.middleware")]
    assert [warning.path for warning in warnings] == ["http.middleware[1]", "http.middleware[4]"]
    assert {warning.kind for warning in warnings} == {"unknown"}
    assert warnings[0].message == "requested middleware doesn't exist; did you mean `gzip`?"
    assert "there are gzip, headers" in warnings[1].message


def test_options_of_unused_middleware_are_like_an_unknown_key() -> None:
    custom = {name: {"class": "package.module:Class"} for name in ("asked", "forgotten")}
    found = checked("http", address=":8080", middleware=["asked"], custom=custom)
    assert found.faults == []
    [warning] = [warning for warning in found.warnings if warning.path.startswith("http.custom")]
    assert (warning.kind, warning.path) == ("unknown", "http.custom.forgotten")
    assert warning.message == "is unused: http.middleware does not name it"
