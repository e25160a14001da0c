"""Settings of the driver ``consul``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from pyroadrunner.plugins.discovery.drivers.address import address_fault, clear_text
from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo, RegistryConfig
from pyroadrunner.plugins.discovery.drivers.tls import TlsConfig


class ConsulConfig(RegistryConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`driver: consul`: services of a Consul agent."""

    address: str = "http://127.0.0.1:8500"
    """HTTP address of the agent on this machine."""
    token: str = ""
    """ACL token: `service:write`, `service:read` and `node:read`; `key:write` below `pyroadrunner/` for commands."""
    datacenter: str = ""
    """Datacenter to read; empty = that of the agent."""
    deregister_after: Annotated[float, Meta(ge=60.0, extra={"rr": "duration"})] = 60.0
    """When Consul deletes a server that has not been heard of: at the earliest after a minute, Consul's own minimum.
    It counts as gone after `ttl`."""
    tls: TlsConfig = TlsConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        if fault := address_fault(self.address):
            yield "address", fault

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if one.fatal)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is expired; a token that crosses the network in clear text."""
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if not one.fatal)
        if self.token and clear_text(self.address):
            yield "address", "sends the token in clear text over the network: write https://"


DRIVER = DriverInfo(
    config=ConsulConfig,
    make="pyroadrunner.plugins.discovery.drivers.consul.driver:ConsulRegistry",
    announces=True,
    modules=("aiohttp",),
    extra="discovery",
)
