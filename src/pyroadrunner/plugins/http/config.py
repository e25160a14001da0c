"""The ``http`` section. Keys of parts that are not built yet give a warning: a RoadRunner config must load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.config.section import suggest
from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.content.codings import Level, Name
from pyroadrunner.net.endpoint import SOCKET_MODE, parse_endpoint
from pyroadrunner.net.errors import ListenError
from pyroadrunner.plugins.http.middleware.config import (
    BUILT_IN,
    CustomConfig,
    HeadersConfig,
    StaticConfig,
    faulty_subnets,
    is_path,
)
from pyroadrunner.plugins.http.routes import RouteConfig, same_names
from pyroadrunner.plugins.http.tls.config import SslConfig
from pyroadrunner.workers.config import PoolConfig

# What a response may have for a status; 0 = the default. Below 200 there is no final one: taken for the default too.
Status = Annotated[int, msgspec.Meta(ge=0, le=599)]


class UploadsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.uploads``: where multipart files are kept while a request runs, and which are refused."""

    dir: str = ""
    """Folder for temporary files; empty = the system's."""
    forbid: StringList = msgspec.field(default_factory=list)
    """Extensions (with dot) that are refused with upload error 8."""
    allow: StringList = msgspec.field(default_factory=list)
    """When not empty: only these extensions, minus ``forbid``."""


class FormsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.forms``: how large a form may be, urlencoded or multipart (ours). ``http.raw_body`` parses none."""

    max_fields: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Fields, and likewise the maps that their names make (``a[b][c]`` makes two); more is 413. 0 = any number."""
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=500)] = 64
    """Segments of a field's name (``a[b][c]`` has three); more is 400."""
    max_name_size: Annotated[int, msgspec.Meta(ge=0)] = 64
    """KB (2**10 bytes) of a field's name, in multipart of all header lines of a part; more is 413. 0 = any size."""
    max_size: Annotated[int, msgspec.Meta(ge=0)] = 42
    """MB (2**20 bytes) of a form; of multipart the fields count and files do not; more is 413. 0 = any size."""
    max_files: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """Files of a multipart form; more is 413. 0 = any number."""


class Http2Config(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.http2``."""

    h2c: bool = False
    """Serve HTTP/2 on ``http.address``, too; over TLS it is always served."""
    max_concurrent_streams: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 128
    """Requests of one HTTP/2 connection at a time; 0 = 128."""


class GzipConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.gzip``: options of the middleware ``gzip`` (ours; RoadRunner has none)."""

    encodings: list[Name] = msgspec.field(default_factory=lambda: ["zstd", "br", "gzip"])
    """What is offered, the best first; among those a client likes equally the first is taken. `zstd` and `br` need
    ``pip install pyroadrunner[compress]``, else they are not offered."""
    level: Level = "balanced"
    """``fast``, ``balanced`` or ``small``."""
    min_length: Annotated[int, msgspec.Meta(ge=0)] = 1024
    """Bytes; a shorter body stays as it is. A stream without a length never is too short."""
    exclude_types: StringList = msgspec.field(default_factory=list)
    """Prefixes of content types that stay as they are, besides those that are packed already."""


class Http3Config(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.http3``, experimental: served only with ``rr serve -e``."""

    address: str = ""
    """Where QUIC comes in over UDP: ``host:port``, ``:port`` or ``[::1]:port``; empty = nowhere."""
    cert: str = ""
    """PEM file: certificate and chain; empty = that of ``http.ssl``."""
    key: str = ""
    """PEM file: the private key; empty = that of ``http.ssl``."""


class FcgiConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.fcgi``."""

    address: str = ""
    """Where FastCGI is spoken: ``tcp://host:port``, ``host:port`` or ``unix://path``; empty = nowhere."""


class HttpConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http``."""

    address: str = ""
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``."""
    socket_mode: Annotated[int, msgspec.Meta(ge=0, le=0o777)] = SOCKET_MODE
    """Mode of a unix socket (``address``, ``fcgi.address``), such as 0666, whatever the umask is (ours). With 0660 its
    owner and its group can connect."""
    internal_error_code: Status = 500
    """Status of a request whose worker failed; 0 = 500."""
    overload_code: Status = 503
    """Status of a request that found the queue full or no worker in time (ours; 500 is what RoadRunner answers);
    0 = 503."""
    access_logs: bool = False
    """Long request lines instead of short ones."""
    slow_request: Duration = 0.0
    """A request that takes so long gives a warning (ours); the wait for a worker and a slow client count. 0 = none."""
    max_request_size: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """Largest request body in MB (2**20 bytes); 0 = 1000, as in RoadRunner."""
    raw_body: bool = False
    """Pass forms and uploads on unparsed."""
    codec: Literal["json", "protobuf"] = "json"
    """How the request context is encoded for the worker (ours)."""
    dev: bool = False
    """Tell the client what went wrong in a worker, and show what it printed (ours); ``pool.debug`` does so, too."""
    forms: FormsConfig = FormsConfig()
    uploads: UploadsConfig = UploadsConfig()
    pool: PoolConfig = PoolConfig()
    routes: list[RouteConfig] = msgspec.field(default_factory=list)
    """Requests with a pool of their own (ours); the first that matches counts, all others go to ``pool``."""
    middleware: StringList = msgspec.field(default_factory=list)
    """What stands between listener and workers; the first of the list is the innermost, as in RoadRunner."""
    custom: dict[str, CustomConfig] = msgspec.field(default_factory=dict)
    """ASGI middleware of other packages, by a name for the list (ours)."""
    gzip: GzipConfig = GzipConfig()
    trusted_subnets: StringList = msgspec.field(default_factory=list)
    """For the middleware ``proxy_ip_parser``: proxies whose word on the client's address is taken, as addresses or CIDR
    blocks; `unix:` = those on a unix socket."""
    trusted_headers: StringList = msgspec.field(default_factory=list)
    """Headers in which a trusted proxy names the client, the first one first; empty = RoadRunner's five."""
    trusted_walk: bool = False
    """Of the addresses in `X-Forwarded-For` or `Forwarded` take the last that is no trusted proxy's, instead of the
    first, which the client may have made up (ours)."""
    headers: HeadersConfig | None = None
    static: StaticConfig | None = None
    ssl: SslConfig = SslConfig()
    http10: bool = False
    """Answer HTTP/1.0 on ``http.address``, too (ours; RoadRunner always does). It slows newer versions down."""
    http2: Http2Config = Http2Config()
    http3: Http3Config = Http3Config()
    fcgi: FcgiConfig = FcgiConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        """An address or a subnet that is none, two routes whose pools have one name."""
        for key, address in (("address", self.address), ("fcgi.address", self.fcgi.address)):
            try:
                if address:
                    parse_endpoint(address, "")
            except ListenError as wrong:
                yield key, str(wrong).lstrip()
        if self.trusted_subnets:
            yield from faulty_subnets("trusted_subnets", self.trusted_subnets)
        yield from same_names(self.routes)

    def unread(self) -> Iterable[tuple[str, str]]:
        """Middleware that nobody has: left out, as in RoadRunner. Options of one that is not asked for."""
        known = [*BUILT_IN, *self.custom]
        for at, name in enumerate(self.middleware):
            if name not in known and not is_path(name):
                near = suggest(name, known) or f"there are {', '.join(sorted(known))}"
                yield f"middleware.{at}", f"requested middleware doesn't exist; {near}"
        for name in self.custom:
            if name not in self.middleware:
                yield f"custom.{name}", "is not asked for: http.middleware does not name it"

    def absent(self) -> Iterable[tuple[str, str]]:
        """Middleware that can't be imported, files of TLS that can't be used, a folder that is not there."""
        yield from self._absent_middleware()
        yield from self._one_of_two()
        yield from ((key, problem.message) for key, problem in self._tls_problems() if problem.fatal)
        if self.static is not None and "static" in self.middleware:
            yield from ((f"static.{key}", message) for key, message in self.static.absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Certificates that are not in their time."""
        yield from ((key, problem.message) for key, problem in self._tls_problems() if not problem.fatal)

    def _one_of_two(self) -> Iterable[tuple[str, str]]:
        if self.ssl.acme is None and bool(self.ssl.cert) != bool(self.ssl.key):
            there, missing = ("cert", "key") if self.ssl.cert else ("key", "cert")
            yield f"ssl.{there}", f"is set and http.ssl.{missing} is not: TLS needs both"

    def _tls_problems(self) -> Iterable[tuple[str, Problem]]:
        """By key below the section."""
        ssl, http3 = self.ssl, self.http3
        if ssl.acme is not None:
            for problem in look_at(root_ca=ssl.acme.directory_ca):
                yield "ssl.acme.directory_ca", problem
        if ssl.acme is not None or (ssl.cert and ssl.key):
            cert, key = ("", "") if ssl.acme is not None else (ssl.cert, ssl.key)
            for problem in look_at(cert=cert, key=key, root_ca=ssl.root_ca):
                yield f"ssl.{problem.key}", problem
        if http3.address and http3.cert and http3.key:
            for problem in look_at(cert=http3.cert, key=http3.key):
                yield f"http3.{problem.key}", problem

    def _absent_middleware(self) -> Iterable[tuple[str, str]]:
        from pyroadrunner.plugins.http.middleware.import_path import ImportPathError, import_path  # only a check asks

        for at, name in enumerate(self.middleware):
            if name not in BUILT_IN and (name in self.custom or is_path(name)):
                try:
                    import_path(self.custom[name].cls if name in self.custom else name)
                except ImportPathError as wrong:
                    yield f"middleware.{at}", f"{name}: {wrong}"

    def pools(self) -> dict[str, PoolConfig]:
        """Every pool of the section by name, the default one first; what a route leaves out is filled in."""
        return {"http": self.pool} | {route.pool_name: route.pool.over(self.pool) for route in self.routes}
