"""Subnets of trusted proxies, and parsing of addresses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

UNIX = "unix:"
_UNIX_PEER = "127.0.0.1"  # the address shown for a peer on a unix socket
# An address with or without brackets, with or without a port.
_FORM = re.compile(r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::[0-9]+)?|(?P<v4>[0-9.]+)(?::[0-9]+)?|(?P<v6>[0-9A-Fa-f:.]+)")
_LONGEST = 60  # characters of an address in any form; longer text is not parsed


class Subnets:
    """``http.trusted_subnets``.

    Args:
        subnets: CIDR blocks or addresses; ``unix:`` stands for peers on unix sockets (they are ``127.0.0.1``, too).

    Raises:
        ValueError: an entry is neither a CIDR block nor an address.
    """

    def __init__(self, subnets: Iterable[str]) -> None:
        given = list(subnets)
        self._unix = UNIX in given
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(subnet, strict=False) for subnet in given if subnet != UNIX
        ]
        # A proxy has few addresses, so most requests are answered from the cache.
        self.trusts = lru_cache(maxsize=1024)(self._trusts)

    def __repr__(self) -> str:
        return f"Subnets({', '.join(map(str, self._networks))}{', unix:' if self._unix else ''})"

    def _trusts(self, host: str | None) -> bool:
        """Whether a peer is in one of the subnets; ``None`` is a peer on a unix socket."""
        if host is None and self._unix:
            return True
        address = _address(host or _UNIX_PEER)
        return address is not None and any(address in network for network in self._networks)


@lru_cache(maxsize=4096)
def read_address(text: str) -> str | None:
    """The address in ``1.2.3.4``, ``1.2.3.4:80``, ``[2001:db8::1]:80`` or ``2001:db8::1``, in its shortest form;
    ``None`` if the text is not an address."""
    text = text.strip(" \t")
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    address = _address(found["bracketed"] or found["v4"] or found["v6"]) if found else None
    return None if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
