"""The ``centrifuge`` section."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.values import Duration
from pyroadrunner.net.address import InvalidAddress, parse_address
from pyroadrunner.workers.config import PoolConfig

_LEGAL_KEY = re.compile(r"[\x21-\x7e]*")  # of a header's value


class ApiTls(msgspec.Struct, kw_only=True, frozen=True):
    """``centrifuge.tls``: TLS (1.2 or newer) to Centrifugo's API. If present, also without keys, TLS is used."""

    cert: str = ""
    """File with the client's certificate (with `key`), if Centrifugo requires one."""
    key: str = ""
    """File with the private key of `cert`."""
    root_ca: str = ""
    """File with the certificate authorities to trust instead of those of the system. Not in RoadRunner."""
    server_name: str = ""
    """Name that Centrifugo's certificate has to have; empty = the host of `grpc_api_address`. Not in RoadRunner."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """The problems of the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)


class CentrifugeConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``centrifuge``: calls from and to a Centrifugo server."""

    proxy_address: str = "tcp://127.0.0.1:30000"
    """Address for Centrifugo's calls (its `proxy.endpoint` of type gRPC): `host:port`, `tcp://host:port` or
    `unix://path`. Plain text; everyone who reaches it can call the workers."""
    grpc_api_address: str = "127.0.0.1:10000"
    """Address of Centrifugo's gRPC API: `host:port`, `tcp://host:port` or `unix:path`."""
    api_key: str = ""
    """Key of the API (Centrifugo's `grpc_api.key`). Not in RoadRunner."""
    api_timeout: Duration = 60.0
    """Longest time for a call of the API; 0 = no limit, as in RoadRunner."""
    use_compressor: bool = False
    """Compress calls of the API with gzip."""
    tls: ApiTls | None = None
    sub_refresh_type: Literal["subrefresh", "sub_refresh"] = "subrefresh"
    """Type of the call SubRefresh for workers. `roadrunner-php/centrifugo` 2.0 to 2.3 need `sub_refresh`. Not in
    RoadRunner, which sends `subrefresh`."""
    name: Any = None
    """Accepted and ignored, as in RoadRunner."""
    version: Any = None
    """Accepted and ignored, as in RoadRunner."""
    pool: PoolConfig = PoolConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        """Addresses and a key that can't be used."""
        try:
            parse_address(self.proxy_address, default_scheme="tcp")
        except InvalidAddress as wrong:
            yield "proxy_address", str(wrong)
        if not self.grpc_api_address.startswith(("unix:", "dns:")):
            try:
                found = parse_address(self.grpc_api_address, default_scheme="tcp")
            except InvalidAddress:
                yield "grpc_api_address", f"is `{self.grpc_api_address}`; write host:port, or unix:path"
            else:
                if getattr(found, "port", 1) == 0:
                    yield "grpc_api_address", "needs the port of Centrifugo's API"
        if _LEGAL_KEY.fullmatch(self.api_key) is None:
            yield "api_key", "has blanks or characters that are not ASCII"

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        return self._tls_problems(fatal=True)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Certificates that have expired or are not valid yet."""
        return self._tls_problems(fatal=False)

    def _tls_problems(self, *, fatal: bool) -> Iterable[tuple[str, str]]:
        for problem in self.tls.problems() if self.tls is not None else ():
            if problem.fatal is fatal:
                yield f"tls.{problem.key}", problem.message

    @property
    def api_target(self) -> str:
        """``grpc_api_address`` as gRPC libraries write it."""
        return self.grpc_api_address.removeprefix("tcp://")
