"""The address of this machine that others see."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from pyroadrunner.plugins.discovery.announcement import is_loopback

_ELSEWHERE = "192.0.2.1"  # TEST-NET-1 (RFC 5737): the route to it is the default route; nothing is sent


async def local_host(url: str) -> str:
    """The address from which this machine reaches a registry; if the registry is on this machine, the one from which
    it reaches the network; empty if there is no network.

    Raises:
        OSError: the registry's name can't be resolved.
    """
    parts = urlsplit(url)
    found = await _source(parts.hostname or "", parts.port or 80)
    if not is_loopback(found):
        return found
    try:
        return await _source(_ELSEWHERE, 9)
    except OSError:  # no route
        return ""


async def _source(host: str, port: int) -> str:
    """The local address of a connected UDP socket: the kernel chooses it by the route, and sends nothing."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(host, port)
    )
    try:
        return str(transport.get_extra_info("sockname")[0])
    finally:
        transport.close()
