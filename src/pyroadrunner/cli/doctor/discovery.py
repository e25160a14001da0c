"""Check what `discovery` can announce: addresses that other machines reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyroadrunner.cli.doctor.endpoints import value
from pyroadrunner.cli.doctor.finding import Finding, ok, warn
from pyroadrunner.contracts import ServedAddress
from pyroadrunner.plugins.discovery.announcement import announcement

_PART = "discovery"
_TODO = "listen on an address of the network, or name that of the proxy in discovery.addresses"
# Config keys of addresses by their kinds.
_KINDS = {
    "http.address": "http",
    "http.ssl.address": "https",
    "grpc.listen": "grpc",
    "metrics.address": "metrics",
    "status.address": "status",
    "rpc.listen": "rpc",
}


def inspect(config: Mapping[str, Any], addresses: Iterator[tuple[str, str]]) -> Iterator[Finding]:
    """The findings of the section; none without it. Pure.

    Args:
        config: the effective one.
        addresses: key and text of each address the server listens on.
    """
    if value(config, "discovery.registry") is None or value(config, "discovery.registry.driver") in ("dns", "file"):
        return
    served = [ServedAddress(kind=kind, address=text, key=key) for key, text in addresses if (kind := _kind(key))]
    found = announcement(
        served,
        value(config, "discovery.announce") or (),
        value(config, "discovery.host") or "",
        value(config, "discovery.addresses") or {},
    )
    for key, why in found.left_out.items():
        yield warn(_PART, key, f"not announced: {why}", _TODO)
    if found.endpoints:
        kinds = ", ".join(dict.fromkeys(one.kind for one in found.endpoints))
        yield ok(_PART, "discovery.announce", f"announces {kinds}")
    else:
        yield warn(_PART, "discovery.announce", "there is no address to announce", "see discovery.announce")


def _kind(key: str) -> str:
    return "tcp" if key.startswith("tcp.servers.") else _KINDS.get(key, "")
