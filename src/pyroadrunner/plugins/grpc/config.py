"""The ``grpc`` section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec.structs import force_setattr

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.section import suggest
from pyroadrunner.config.values import Duration, StringList, StringMap
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.grpc.web.config import GrpcWebConfig
from pyroadrunner.workers.config import PoolConfig

_MB = 1 << 20
_MESSAGE_SIZE, _STREAMS = 50, 10
CLIENT_AUTH_TYPES = (
    "no_client_cert",
    "request_client_cert",
    "require_any_client_cert",
    "verify_client_cert_if_given",
    "require_and_verify_client_cert",
)
_ALIASES = {"": "no_client_cert", "no_client_certs": "no_client_cert"}  # the second is in RoadRunner's manual

MessageSize = Annotated[float, msgspec.Meta(ge=0, le=4095)]  # MB; a message's length has 32 bits


class GrpcTlsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``grpc.tls``: on if ``key`` and ``cert`` are set."""

    key: str = ""
    """PEM file: the private key, unencrypted."""
    cert: str = ""
    """PEM file: the certificate, followed by its chain."""
    root_ca: str = ""
    """PEM file: the roots for verifying client certificates."""
    client_auth_type: str = ""
    """Whether clients send a certificate: ``no_client_cert`` (also empty), ``request_client_cert``,
    ``require_any_client_cert``, ``verify_client_cert_if_given``, ``require_and_verify_client_cert``. All but the first
    need ``root_ca``, and a certificate is always verified."""

    @property
    def auth_type(self) -> str:
        """``client_auth_type`` in its usual spelling."""
        return _ALIASES.get(self.client_auth_type, self.client_auth_type)

    @property
    def enabled(self) -> bool:
        """Whether TLS is on."""
        return bool(self.key and self.cert)

    def faults(self) -> Iterable[tuple[str, str]]:
        """An unknown type of client authentication, or one without roots: RoadRunner checks nothing then."""
        kind = self.auth_type
        if kind not in CLIENT_AUTH_TYPES:
            near = suggest(kind, CLIENT_AUTH_TYPES) or f"write one of {', '.join(CLIENT_AUTH_TYPES)}"
            yield "client_auth_type", f"is `{self.client_auth_type}`, which does not exist; {near}"
        elif kind != "no_client_cert" and not self.root_ca:
            yield "client_auth_type", f"is `{kind}` and root_ca is not set: no certificate could be verified"


class GrpcConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``grpc``: gRPC services."""

    listen: str
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``; required."""
    proto: StringList = msgspec.field(default_factory=list)
    """Files with the services, or patterns with `*`, `**`, `?`, `[...]`, `{a,b}`. Relative to the working directory;
    imports relative to the folder of the file."""
    tls: GrpcTlsConfig = GrpcTlsConfig()
    max_send_msg_size: MessageSize = _MESSAGE_SIZE
    """Largest message of a worker in MB (2**20 bytes), also a fraction; 0 = 50. More is RESOURCE_EXHAUSTED."""
    max_recv_msg_size: MessageSize = _MESSAGE_SIZE
    """Largest message of a client in MB (2**20 bytes), also a fraction; 0 = 50. More is RESOURCE_EXHAUSTED."""
    max_connection_idle: Duration = 0.0
    """Time without a call after which a connection is closed; 0 = no limit."""
    max_connection_age: Duration = 0.0
    """Time after which a connection is closed, with a random tenth more or less; 0 = no limit."""
    max_connection_age_grace: Duration = 0.0
    """Time for the calls of a connection that has reached its age; then it is cut. 0 = no limit."""
    max_concurrent_streams: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = _STREAMS
    """Calls at the same time on one connection; more wait at the client. 0 = 10."""
    ping_time: Duration = 7200.0
    """Silence of a connection after which the kernel asks whether the client is still there; 0 = two hours, at least
    one second."""
    timeout: Duration = 20.0
    """Time for the answer to that question, and for data that a client does not acknowledge; then the connection is
    closed. No limit for calls. 0 = 20 seconds."""
    interceptors: StringList = msgspec.field(default_factory=list)
    """Names of interceptors that see each call; the first is the outermost. Entry points of the group
    ``pyroadrunner.grpc_interceptors``."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Environment of the workers, over ``server.env``. ``RR_MODE`` is always ``grpc``."""
    reflection: bool = True
    """Whether clients may ask for the services and their types (grpcurl and others do)."""
    web: GrpcWebConfig = GrpcWebConfig()
    pool: PoolConfig = PoolConfig()

    def __post_init__(self) -> None:
        defaults: dict[str, float] = {
            "max_send_msg_size": _MESSAGE_SIZE,
            "max_recv_msg_size": _MESSAGE_SIZE,
            "max_concurrent_streams": _STREAMS,
            "ping_time": 7200.0,
            "timeout": 20.0,
        }
        for key, default in defaults.items():
            if not getattr(self, key):
                force_setattr(self, key, default)
        if self.ping_time < 1.0:
            force_setattr(self, "ping_time", 1.0)

    @property
    def max_receive_bytes(self) -> int:
        return int(self.max_recv_msg_size * _MB)

    @property
    def max_send_bytes(self) -> int:
        return int(self.max_send_msg_size * _MB)

    def pools(self) -> dict[str, PoolConfig]:
        """The only pool, by its name."""
        return {"grpc": self.pool}

    def worker_env(self) -> dict[str, str]:
        """Environment of the workers; no spelling of ``RR_MODE`` in ``env`` replaces the server's."""
        return {name: value for name, value in self.env.items() if name.upper() != "RR_MODE"} | {"RR_MODE": "grpc"}

    def faults(self) -> Iterable[tuple[str, str]]:
        """An invalid address."""
        if ":" not in self.listen:
            yield "listen", f"mailformed grpc address `{self.listen}`, provide an address in the form <host>:<port>"
            return
        try:
            parse_endpoint(self.listen, "listen")
        except ListenError as wrong:
            yield "listen", str(wrong).lstrip()

    def absent(self) -> Iterable[tuple[str, str]]:
        """Unusable TLS and ``.proto`` files, interceptors that are not installed."""
        if bool(self.tls.cert) != bool(self.tls.key):
            there, missing = ("cert", "key") if self.tls.cert else ("key", "cert")
            yield f"tls.{there}", f"is set and grpc.tls.{missing} is not: TLS needs both"
        yield from ((key, problem.message) for key, problem in self._tls_problems() if problem.fatal)
        if self.proto:
            from pyroadrunner.plugins.grpc.schema.reader import read_schema

            yield from ((f"proto.{error.entry}", error.why) for error in read_schema(self.proto)[1])
        if self.interceptors:
            from pyroadrunner.plugins.grpc.interceptors import unknown_interceptors  # only a check needs it here

            yield from unknown_interceptors(self.interceptors)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Certificates that have expired or are not valid yet."""
        yield from ((key, problem.message) for key, problem in self._tls_problems() if not problem.fatal)

    def _tls_problems(self) -> Iterable[tuple[str, Problem]]:
        if self.tls.enabled:
            for problem in look_at(cert=self.tls.cert, key=self.tls.key, root_ca=self.tls.root_ca):
                yield f"tls.{problem.key}", problem
