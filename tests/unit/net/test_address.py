"""``tcp://`` and ``unix://`` as RoadRunner writes them."""

from __future__ import annotations

import pytest

from pyroadrunner.net.address import Address, InvalidAddress, TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("tcp://127.0.0.1:6001", TcpAddress("127.0.0.1", 6001)),
        ("tcp://localhost:0", TcpAddress("localhost", 0)),
        ("tcp://:6001", TcpAddress("", 6001)),
        ("tcp://[::1]:6001", TcpAddress("::1", 6001)),
        ("unix://rr.sock", UnixAddress("rr.sock")),
        ("unix:///run/rr.sock", UnixAddress("/run/rr.sock")),
        ("unix://odd:name.sock", UnixAddress("odd:name.sock")),
    ],
)
def test_an_address_is_read_and_written(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:6001",
        "tcp://",
        "tcp://host",
        "tcp://host:",
        "tcp://host:x",
        "tcp://host:65536",
        "tcp://::1:6001",
        "tcp://[x]:1",
        "tcp://a/b:1",
        "tcp://a:²",
        "tcp://tcp://a:1",
        "unix://",
        "unix://a://b",
        "unix://a\0b",
        "udp://a:1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress, match=r"invalid socket DSN \(tcp://:6001, unix://file.sock\)"):
        parse_address(text)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_who_listens_everywhere_is_reached_on_loopback(host: str) -> None:
    assert TcpAddress(host, 6001).to_connect() == TcpAddress("127.0.0.1", 6001)
    assert TcpAddress("10.0.0.1", 6001).to_connect() == TcpAddress("10.0.0.1", 6001)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2112", TcpAddress("127.0.0.1", 2112)),
        (":2112", TcpAddress("", 2112)),
        ("[::1]:1", TcpAddress("::1", 1)),
        ("tcp://localhost:1", TcpAddress("localhost", 1)),
        ("unix:///run/x.sock", UnixAddress("/run/x.sock")),
    ],
)
def test_the_scheme_may_be_left_out_where_there_is_a_default(text: str, address: object) -> None:
    assert parse_address(text, default_scheme="tcp") == address


@pytest.mark.parametrize("text", ["", "2112", "http://x:1", "host:port"])
def test_an_invalid_address_is_shown_as_it_was_written(text: str) -> None:
    with pytest.raises(InvalidAddress) as wrong:
        parse_address(text, default_scheme="tcp")
    assert wrong.value.text == text
