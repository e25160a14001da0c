"""SRV records as a registry. A server is the target of a record; records of several kinds may name the same target.

Addresses that come with the answer are used (Consul sends them, and no other resolver knows its names); other targets
stay names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from pyroadrunner.net.address import InvalidAddress, TcpAddress, parse_address
from pyroadrunner.plugins.discovery.drivers.contract import (
    Endpoint,
    Registry,
    RegistryError,
    RegistryRefused,
    Server,
    Settings,
)
from pyroadrunner.plugins.discovery.drivers.dns.config import DnsConfig


class DnsRegistry(Registry):
    """Asks a name server, or those of the system."""

    def __init__(self, config: DnsConfig, settings: Settings) -> None:
        self._config = config
        self._timeout = settings.timeout
        self._resolver: dns.asyncresolver.Resolver | None = None

    def __repr__(self) -> str:
        return f"DnsRegistry({self._config.records})"

    async def servers(self) -> Sequence[Server]:
        if self._resolver is None:
            self._resolver = _resolver(self._config.nameserver)
        found: dict[str, list[Endpoint]] = {}
        for kind, record in self._config.records.items():
            for target, endpoint in await self._ask(self._resolver, kind, record):
                found.setdefault(target, []).append(endpoint)
        return [Server(id=target, endpoints=endpoints) for target, endpoints in found.items()]

    async def close(self) -> None:
        self._resolver = None

    async def _ask(
        self, resolver: dns.asyncresolver.Resolver, kind: str, record: str
    ) -> Iterable[tuple[str, Endpoint]]:
        try:
            answer = await resolver.resolve(record, "SRV", lifetime=self._timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []  # no server is there now
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise RegistryError(f"{record}: {_reason(error)}") from error
        addresses = {
            rrset.name: str(rrset[0])
            for rrset in answer.response.additional
            if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        }
        return [_endpoint(kind, one.target, one.port, addresses) for one in answer if one.target != dns.name.root]


def _endpoint(kind: str, target: dns.name.Name, port: int, addresses: dict[dns.name.Name, str]) -> tuple[str, Endpoint]:
    name = target.to_text(omit_final_dot=True)
    return name, Endpoint(kind=kind, host=addresses.get(target, name), port=port)


def _resolver(nameserver: str) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not nameserver)
        if nameserver:
            address = parse_address(nameserver if _has_port(nameserver) else f"{nameserver}:53", default_scheme="tcp")
            assert isinstance(address, TcpAddress)
            resolver.nameservers, resolver.port = [address.host], address.port
    except (dns.exception.DNSException, InvalidAddress, ValueError, OSError) as error:
        raise RegistryRefused(f"discovery.registry.nameserver: {error}") from error
    return resolver


def _has_port(text: str) -> bool:
    return text.count(":") == 1 or "]:" in text


def _reason(error: Exception) -> str:
    return "no answer in time" if isinstance(error, dns.exception.Timeout) else str(error) or type(error).__name__
