"""Which addresses other machines can use, and how. Pure.

A server that listens on all interfaces is announced with ``discovery.host``, else with an address that the driver finds
(Consul: that of its agent). One that listens on loopback can't be reached from another machine, so it is not announced,
unless ``discovery.host`` is a loopback address itself: then all servers are on this machine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from pyroadrunner.contracts import ServedAddress
from pyroadrunner.net.address import InvalidAddress, TcpAddress, UnixAddress, parse_address
from pyroadrunner.plugins.discovery.server import Endpoint

_EVERYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a server announces.

    Attributes:
        endpoints: for clients.
        left_out: config key -> why its address is not announced.
    """

    endpoints: Sequence[Endpoint]
    left_out: Mapping[str, str]


def is_loopback(host: str) -> bool:
    """Whether only clients of the same machine reach this host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def announcement(
    served: Iterable[ServedAddress], kinds: Collection[str], host: str, overrides: Mapping[str, str]
) -> Announcement:
    """The announcement of a server.

    Args:
        served: the addresses it listens on.
        kinds: those to announce, in this order.
        host: for addresses on all interfaces; empty = the driver finds one.
        overrides: ``host:port`` by kind, in place of the address in use.
    """
    served = list(served)
    on_http = [one for one in served if one.kind in ("http", "https")]
    endpoints: list[Endpoint] = []
    left_out: dict[str, str] = {}
    for one in served:
        if one.kind not in kinds:
            continue
        for carrier in [one] if one.address else on_http:
            address = overrides.get(one.kind) or overrides.get(carrier.kind) or carrier.address
            found = _endpoint(one, address, host, given=one.kind in overrides or carrier.kind in overrides)
            if isinstance(found, str):
                left_out[carrier.key] = found
            else:
                endpoints.append(found)
    order = list(kinds)
    return Announcement(sorted(dict.fromkeys(endpoints), key=lambda one: order.index(one.kind)), left_out)


def _endpoint(one: ServedAddress, text: str, host: str, *, given: bool) -> Endpoint | str:
    try:
        address = parse_address(text, default_scheme="tcp")
    except InvalidAddress as wrong:
        return str(wrong)
    if isinstance(address, UnixAddress):
        return "a unix socket, which no other machine reaches"
    where = reachable(address, host) if not given else address.host
    if where is None:
        return f"{address.short} is on loopback, which no other machine reaches"
    return Endpoint(kind=one.kind, host=where, port=address.port, name=one.name, path=one.path)


def reachable(address: TcpAddress, host: str) -> str | None:
    """The host that clients use for an address; ``None`` = other machines do not reach it, empty = not known here."""
    if address.host in _EVERYWHERE:
        return host
    if is_loopback(address.host):
        return address.host if is_loopback(host) else None
    return address.host
