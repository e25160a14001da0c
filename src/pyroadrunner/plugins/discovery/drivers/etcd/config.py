"""Settings of the driver ``etcd``."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import field

from pyroadrunner.config.values import StringList
from pyroadrunner.plugins.discovery.drivers.address import address_fault, clear_text
from pyroadrunner.plugins.discovery.drivers.contract import DriverInfo, RegistryConfig
from pyroadrunner.plugins.discovery.drivers.tls import TlsConfig


class EtcdConfig(RegistryConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`driver: etcd`: keys with a lease in etcd 3.4 or newer."""

    addresses: StringList = field(default_factory=lambda: ["http://127.0.0.1:2379"])
    """Client addresses of the members of the etcd cluster. The next one is used when one does not answer."""
    prefix: str = "/pyroadrunner"
    """Prefix of all keys."""
    username: str = ""
    """User of etcd, with read and write permission on the prefix."""
    password: str = ""
    """Password of the user."""
    tls: TlsConfig = TlsConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.addresses:
            yield "addresses", "should not be empty"
        for number, address in enumerate(self.addresses):
            if fault := address_fault(address):
                yield f"addresses.{number}", fault
        if bool(self.username) != bool(self.password):
            yield ("password" if self.username else "username"), "is missing: a user needs a password"

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if one.fatal)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is expired; a password that crosses the network in clear text."""
        yield from ((f"tls.{one.key}", one.message) for one in self.tls.problems() if not one.fatal)
        for number, address in enumerate(self.addresses):
            if self.password and clear_text(address):
                yield f"addresses.{number}", "sends the password in clear text over the network: write https://"


DRIVER = DriverInfo(
    config=EtcdConfig,
    make="pyroadrunner.plugins.discovery.drivers.etcd.driver:EtcdRegistry",
    announces=True,
    modules=("aiohttp",),
    extra="discovery",
)
