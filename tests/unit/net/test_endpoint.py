from __future__ import annotations

import pytest

from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:8080", TcpAddress("127.0.0.1", 8080), "127.0.0.1:8080"),
        (":8080", TcpAddress("", 8080), ":8080"),
        ("localhost:0", TcpAddress("localhost", 0), "localhost:0"),
        ("[::1]:80", TcpAddress("::1", 80), "[::1]:80"),
        ("tcp://0.0.0.0:80", TcpAddress("0.0.0.0", 80), "0.0.0.0:80"),
        ("tcp://:80", TcpAddress("", 80), ":80"),
        ("unix:///run/rr.sock", UnixAddress("/run/rr.sock"), "unix:///run/rr.sock"),
        ("unix://rr.sock", UnixAddress("rr.sock"), "unix://rr.sock"),
    ],
)
def test_every_form_of_an_address_is_parsed(text: str, address: Address, shown: str) -> None:
    assert parse_endpoint(text) == address
    assert address.short == shown


@pytest.mark.parametrize(
    "text",
    ["8080", "localhost", "host:", "host:x", "a:1:2", "::1:80", "unix://", "udp://a:1", "h:70000", "h:999999", "h:-1"],
)
def test_an_invalid_address_is_quoted_with_the_valid_forms(text: str) -> None:
    with pytest.raises(ListenError) as caught:
        parse_endpoint(text)
    assert f"http.address `{text}`" in str(caught.value)
