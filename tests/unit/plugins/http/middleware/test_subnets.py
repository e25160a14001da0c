"""Trusted peers, and valid addresses."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.http.middleware.subnets import Subnets, read_address


@pytest.mark.parametrize(
    ("subnets", "peer", "trusted"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.77/24"], "192.0.2.1", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "::1", False),
        (["::1", "fd00::/8"], "fd12::1", True),
        (["127.0.0.0/8"], None, True),
        (["unix:"], None, True),
        (["unix:"], "127.0.0.1", False),
        (["10.0.0.0/8"], None, False),
        (["0.0.0.0/0"], "", True),
        (["0.0.0.0/0"], "no address", False),
    ],
)
def test_trust(subnets: list[str], peer: str | None, trusted: bool) -> None:
    assert Subnets(subnets).trusts(peer) is trusted


@pytest.mark.parametrize("subnet", ["10.0.0.0/33", "localhost", "", "10.0.0", "unix"])
def test_an_invalid_subnet_is_refused(subnet: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        Subnets([subnet])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("a:b:c", None),
        ("192.0.2.1:x", None),
        ("192.0.2", None),
        ("1", None),
        ("192.0.2.1, 192.0.2.2", None),
        ("[192.0.2.1", None),
        ("\u0661.2.3.4", None),
        ("1" * 100, None),
        ("192.0.2.1\n", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert read_address(text) == address
