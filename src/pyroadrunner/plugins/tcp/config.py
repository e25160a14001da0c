"""The ``tcp`` section: servers with names chosen by the user, and the pool that all of them share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.values import Duration
from pyroadrunner.net.address import Address, TcpAddress, UnixAddress
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.tcp.tls import CLIENT_AUTH, NO_CLIENT_AUTH
from pyroadrunner.workers.config import Count, PoolConfig

_DELIMITER = "\r\n"
_MEGABYTE = 1 << 20
_EVERYWHERE = ("", "0.0.0.0")
_ESCAPES = ("\\r", "\\n", "\\t", "\\0", "\\x")

Megabytes = Annotated[int, msgspec.Meta(ge=0, le=4095)]


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``tcp.servers.<name>.tls`` (not in RoadRunner). Enabled by ``cert`` and ``key``."""

    cert: str = ""
    """PEM file: the certificate, followed by its chain."""
    key: str = ""
    """PEM file: the private key, unencrypted."""
    root_ca: str = ""
    """PEM file: the roots for verifying client certificates."""
    client_auth_type: str = "no_client_cert"
    """Whether clients send a certificate: ``no_client_cert``, ``request_client_cert``, ``require_any_client_cert``,
    ``verify_client_cert_if_given``, ``require_and_verify_client_cert``. A certificate is always verified."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """Half a configuration, which would serve without TLS or without the check of clients."""
        if bool(self.cert) != bool(self.key):
            there, missing = ("cert", "key") if self.cert else ("key", "cert")
            yield there, f"is set and `{missing}` is not: TLS needs both"
        name = self.client_auth_type
        if name not in NO_CLIENT_AUTH and name not in CLIENT_AUTH:
            yield "client_auth_type", f"is `{name}`; known are no_client_cert, {', '.join(CLIENT_AUTH)}"
        elif name in CLIENT_AUTH and not self.root_ca:
            yield "client_auth_type", "needs `root_ca`: no client could be verified"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Roots without a use."""
        if self.root_ca and self.client_auth_type in NO_CLIENT_AUTH:
            yield "root_ca", "has no effect: `client_auth_type` requests no certificate"

    def problems(self) -> list[Problem]:
        """Problems with the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca) if self.cert and self.key else []


class ServerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``tcp.servers.<name>``: one listening address."""

    addr: str
    """``host:port``, ``:port``, ``[ipv6]:port``, ``tcp://host:port`` or ``unix://path``; required."""
    delimiter: str = _DELIMITER
    """The end of a message: what has arrived goes to a worker once it ends with it. Empty: CR LF."""
    read_buf_size: Megabytes = 0
    """MB (2**20 bytes) that are read ahead while a worker has an event of the connection; 0 = ``tcp.read_buf_size``.
    RoadRunner ignores it here."""
    max_message_size: Megabytes = 64
    """MB that may arrive without a delimiter; then the connection is closed. 0 = 4095. Not in RoadRunner, which has no
    limit."""
    max_connections: Count = 0
    """Concurrent connections; further ones are closed at once. 0 = a share of the limit of open files. Not in
    RoadRunner."""
    idle_timeout: Duration = 0.0
    """Time without a byte in either direction, and without an event at a worker; then the connection is closed. 0 = no
    limit. Not in RoadRunner."""
    write_timeout: Duration = 300.0
    """Time without a byte read by the client while an answer waits for it; then the connection is reset. 0 = no limit.
    Not in RoadRunner."""
    tls: TlsConfig | None = None

    def __post_init__(self) -> None:
        if not self.delimiter:
            force_setattr(self, "delimiter", _DELIMITER)

    def faults(self) -> Iterable[tuple[str, str]]:
        """An address that can't be used."""
        if not self.addr:
            yield "addr", "is empty; write host:port, :port, [ipv6]:port, tcp://host:port or unix://path"
        else:
            try:
                parse_endpoint(self.addr, "")
            except ListenError as wrong:
                yield "addr", str(wrong).lstrip()
        if len(self.end) > self.max_message_bytes:
            yield "delimiter", "is longer than `max_message_size`: no message could end"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Escapes that YAML has not replaced."""
        found = [escape for escape in _ESCAPES if escape in self.delimiter]
        if found:
            yield (
                "delimiter",
                f"has a backslash and a letter ({found[0]}), no control character: write it in double quotes",
            )

    @property
    def end(self) -> bytes:
        """The delimiter on the wire."""
        return self.delimiter.encode("utf-8", "surrogateescape")

    @property
    def max_message_bytes(self) -> int:
        return (self.max_message_size or 4095) * _MEGABYTE

    @property
    def uses_tls(self) -> bool:
        return self.tls is not None and bool(self.tls.cert and self.tls.key)


class TcpConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``tcp``: servers for TCP protocols."""

    servers: dict[str, ServerConfig] = msgspec.field(default_factory=dict)
    """At least one."""
    read_buf_size: Megabytes = 1
    """MB (2**20 bytes) that are read ahead of a connection while a worker has one of its events; 0: 1. Buffers grow
    as bytes arrive."""
    pool: PoolConfig = PoolConfig()

    def __post_init__(self) -> None:
        if not self.read_buf_size:
            force_setattr(self, "read_buf_size", 1)

    def faults(self) -> Iterable[tuple[str, str]]:
        """No servers, and two servers on one address."""
        if not self.servers:
            yield "servers", "has no server; add one, such as `servers: {echo: {addr: 127.0.0.1:9001}}`"
        seen: dict[str, Address] = {}
        for name, server in self.servers.items():
            try:
                address = parse_endpoint(server.addr, "")
            except ListenError:
                continue
            for other, taken in seen.items():
                if _same(address, taken):
                    yield f"servers.{name}.addr", f"{server.addr} is also the address of tcp.servers.{other}"
            seen[name] = address

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from ((key, problem.message) for key, problem in self._tls_problems() if problem.fatal)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Certificates that have expired or are not valid yet."""
        yield from ((key, problem.message) for key, problem in self._tls_problems() if not problem.fatal)

    def read_ahead(self, server: ServerConfig) -> int:
        """Bytes that are read ahead of a connection of a server."""
        return (server.read_buf_size or self.read_buf_size) * _MEGABYTE

    def _tls_problems(self) -> Iterable[tuple[str, Problem]]:
        for name, server in self.servers.items():
            for problem in server.tls.problems() if server.tls is not None else ():
                yield f"servers.{name}.tls.{problem.key}", problem


def _same(one: Address, other: Address) -> bool:
    """Whether two servers can't both listen there."""
    if isinstance(one, UnixAddress) or isinstance(other, UnixAddress):
        return one == other
    return one.port == other.port != 0 and (one.host == other.host or _covers(one, other) or _covers(other, one))


def _covers(one: TcpAddress, other: TcpAddress) -> bool:
    """Whether the first means all interfaces, the other's among them."""
    return one.host in _EVERYWHERE and ":" not in other.host
