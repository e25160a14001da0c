"""Settings of the driver ``dns``."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.config.values import StringMap
from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo, RegistryConfig


class DnsConfig(RegistryConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`driver: dns`: the servers that SRV records name. This server is not announced."""

    records: StringMap = msgspec.field(default_factory=dict)
    """Name of the SRV records by kind of address: `metrics: _metrics._tcp.shop.example.com`."""
    nameserver: str = ""
    """`host` or `host:port`, an IP address; empty = those of the system."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.records:
            yield "records", "should not be empty: write http: _http._tcp.shop.example.com"


DRIVER = DriverInfo(
    config=DnsConfig,
    make="pyroadrunner.plugins.discovery.drivers.dns.driver:DnsRegistry",
    announces=False,
    modules=("dns",),
    extra="discovery",
)
