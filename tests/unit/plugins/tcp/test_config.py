"""The ``tcp`` section: what it accepts and refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyroadrunner.config.errors import Fault
from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.plugins.tcp.config import TcpConfig
from support.tls import Authority


def read(data: dict[str, Any]) -> tuple[TcpConfig | None, SectionReader]:
    reader = SectionReader(lambda _path: Origin(kind="file", source="file", line=1))
    section = reader.read(TcpConfig, data, ("tcp",))
    assert section is None or isinstance(section, TcpConfig)
    return section, reader


def config(data: dict[str, Any]) -> TcpConfig:
    section, reader = read(data)
    assert section is not None, reader.faults
    return section


def paths(faults: list[Fault]) -> list[str]:
    return [fault.path for fault in faults]


def servers(**given: Any) -> dict[str, Any]:
    return {"servers": {name: {"addr": one} if isinstance(one, str) else one for name, one in given.items()}}


def test_a_roadrunner_config_is_read_with_its_defaults() -> None:
    section = config(
        {
            "servers": {
                "smtp": {"addr": "tcp://127.0.0.1:1025", "delimiter": "\r\n"},
                "two": {"addr": "127.0.0.1:8889", "read_buf_size": 2},
            },
            "pool": {"num_workers": 2, "max_jobs": 0, "allocate_timeout": "60s", "destroy_timeout": "60s"},
        }
    )
    smtp, two = section.servers.values()
    assert (smtp.end, section.read_ahead(smtp), section.read_ahead(two)) == (b"\r\n", 1 << 20, 2 << 20)
    assert section.pool.num_workers == 2
    assert not smtp.uses_tls


@pytest.mark.parametrize(
    ("given", "end"),
    [("", b"\r\n"), ("\n", b"\n"), ("\x00", b"\x00"), ("END", b"END"), (0, b"0"), ("ü", "ü".encode())],
)
def test_a_delimiter_is_any_text_and_without_one_a_line_ends_it(given: object, end: bytes) -> None:
    assert config(servers(a={"addr": ":9001", "delimiter": given})).servers["a"].end == end


@pytest.mark.parametrize("delimiter", [{"a": 1}, ["\n", "\r\n"]])
def test_a_delimiter_that_is_no_text_is_refused(delimiter: object) -> None:
    _, reader = read(servers(a={"addr": ":9001", "delimiter": delimiter}))
    assert paths(reader.faults) == ["tcp.servers.a.delimiter"]


def test_an_escape_that_yaml_left_as_it_is_is_a_warning() -> None:
    _, reader = read(servers(a={"addr": ":9001", "delimiter": "\\r\\n"}))
    [warning] = reader.warnings
    assert (warning.path, reader.faults) == ("tcp.servers.a.delimiter", [])
    assert "double quotes" in warning.message


@pytest.mark.parametrize("addr", ["", "9001", "127.0.0.1", "udp://127.0.0.1:1", "127.0.0.1:70000", "unix://"])
def test_an_address_that_is_none_is_refused(addr: str) -> None:
    _, reader = read(servers(a=addr))
    assert paths(reader.faults) == ["tcp.servers.a.addr"]


@pytest.mark.parametrize("data", [{}, {"servers": {}}, {"servers": None}])
def test_a_section_without_servers_is_refused(data: dict[str, Any]) -> None:
    _, reader = read(data)
    assert paths(reader.faults) == ["tcp.servers"]


@pytest.mark.parametrize("server", [None, {}, "127.0.0.1:9001", []])
def test_a_server_without_an_address_is_refused(server: object) -> None:
    _, reader = read({"servers": {"a": server}})
    assert reader.faults
    assert reader.faults[0].path.startswith("tcp.servers.a")


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:9001", "tcp://127.0.0.1:9001", True),
        (":9001", "127.0.0.1:9001", True),
        ("127.0.0.1:9001", "0.0.0.0:9001", True),
        ("unix:///tmp/a.sock", "unix:///tmp/a.sock", True),
        ("127.0.0.1:9001", "127.0.0.2:9001", False),
        ("127.0.0.1:9001", "127.0.0.1:9002", False),
        ("127.0.0.1:9001", "[::1]:9001", False),
        (":9001", "[::1]:9001", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("unix:///tmp/a.sock", "unix:///tmp/b.sock", False),
        ("unix:///tmp/a.sock", ":9001", False),
    ],
)
def test_two_servers_on_one_address_are_refused(one: str, other: str, clash: bool) -> None:
    _, reader = read(servers(a=one, b=other))
    assert paths(reader.faults) == (["tcp.servers.b.addr"] if clash else [])


@pytest.mark.parametrize(
    ("tls", "path"),
    [
        ({"cert": "a.crt"}, "cert"),
        ({"key": "a.key"}, "key"),
        ({"cert": "a.crt", "key": "a.key", "client_auth_type": "always"}, "client_auth_type"),
        ({"cert": "a.crt", "key": "a.key", "client_auth_type": "require_any_client_cert"}, "client_auth_type"),
    ],
)
def test_half_a_tls_configuration_is_refused(tls: dict[str, str], path: str) -> None:
    _, reader = read(servers(a={"addr": ":9001", "tls": tls}))
    assert paths(reader.faults) == [f"tcp.servers.a.tls.{path}"]


def test_roots_without_a_use_are_a_warning() -> None:
    _, reader = read(servers(a={"addr": ":9001", "tls": {"cert": "a", "key": "b", "root_ca": "c"}}))
    assert paths(reader.warnings) == ["tcp.servers.a.tls.root_ca"]


def test_the_tls_files_are_checked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, old = authority.server(), authority.server("old", expired=True)
    section = config(
        servers(
            good={"addr": ":9001", "tls": {"cert": str(good.cert), "key": str(good.key)}},
            old={"addr": ":9002", "tls": {"cert": str(old.cert), "key": str(old.key)}},
            gone={"addr": ":9003", "tls": {"cert": str(good.cert), "key": str(tmp_path / "gone")}},
        )
    )
    assert [key for key, _ in section.absent()] == ["servers.gone.tls.key"]
    assert [key for key, _ in section.doubtful()] == ["servers.old.tls.cert"]
