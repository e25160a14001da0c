"""The ``http`` section. Keys of features that do not exist yet give a warning: every RoadRunner config must load."""

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

# Status of a response; 0 = the default. A status below 200 is not final, so the default is used as well.
Status = Annotated[int, msgspec.Meta(ge=0, le=599)]


class UploadsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.uploads``: where uploaded files are stored during a request, and which are refused."""

    dir: str = ""
    """Folder for temporary files; empty = the system's."""
    forbid: StringList = msgspec.field(default_factory=list)
    """Extensions (with dot) that are refused with upload error 8."""
    allow: StringList = msgspec.field(default_factory=list)
    """If not empty: accept only these extensions, minus ``forbid``."""


class FormsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.forms``: limits on forms, urlencoded or multipart (not in RoadRunner). Unused with ``http.raw_body``."""

    max_fields: Annotated[int, msgspec.Meta(ge=0)] = 10_000
    """Maximum number of fields, and of the maps made from their names (``a[b][c]`` makes two); more is 413. 0 = no
    limit."""
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=500)] = 64
    """Maximum number of segments in a field name (``a[b][c]`` has three); more is 400."""
    max_name_size: Annotated[int, msgspec.Meta(ge=0)] = 64
    """Maximum KB (2**10 bytes) of a field name, or in multipart of all header lines of a part; more is 413. 0 = no
    limit."""
    max_size: Annotated[int, msgspec.Meta(ge=0)] = 42
    """Maximum MB (2**20 bytes) of a form, without the files of a multipart form; more is 413. 0 = no limit."""
    max_files: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """Maximum number of files in a multipart form; more is 413. 0 = no limit."""


class LimitsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.limits``: bounds of a client connection (not in RoadRunner)."""

    head_timeout: Duration = 30.0
    """From the first byte of a request head to its last, and from a new connection to its first byte; more is 408."""
    idle_timeout: Duration = 3600.0
    """Between two requests of a connection; then it is closed."""
    body_timeout: Duration = 60.0
    """Without a byte while a request body arrives; more is 408."""
    write_timeout: Duration = 300.0
    """Without a byte read by the client while a response waits for it; then the connection is closed."""
    max_head_size: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 1024
    """KB (2**10 bytes) of the request line and the headers together; more is 431."""
    max_buffer_size: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 256
    """KB (2**10 bytes) that are read ahead of a client, and that wait for a client before a stream pauses."""
    max_connections: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Concurrent connections; more close idle ones, or get 503. 0 = a share of the limit of open files."""


class Http2Config(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.http2``: HTTP/2, with and without TLS."""

    h2c: bool = False
    """Also serve HTTP/2 on ``http.address``. Over TLS it is always served."""
    max_concurrent_streams: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 128
    """Maximum number of concurrent requests on one HTTP/2 connection; 0 = 128."""


class GzipConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.gzip``: options of the middleware ``gzip`` (not in RoadRunner)."""

    encodings: list[Name] = msgspec.field(default_factory=lambda: ["zstd", "br", "gzip"])
    """Offered encodings, the preferred one first; the order decides if a client accepts several equally. `zstd` and
    `br` need ``pip install pyroadrunner[compress]``, otherwise they are not offered."""
    level: Level = "balanced"
    """``fast``, ``balanced`` or ``small``."""
    min_length: Annotated[int, msgspec.Meta(ge=0)] = 1024
    """Bytes; a shorter body is not compressed. The limit does not apply to streams without a length."""
    exclude_types: StringList = msgspec.field(default_factory=list)
    """Prefixes of content types that are not compressed, besides those that are already compressed."""


class Http3Config(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.http3``, experimental: served only with ``rr serve -e``."""

    address: str = ""
    """UDP address for QUIC: ``host:port``, ``:port`` or ``[::1]:port``; empty = off."""
    cert: str = ""
    """PEM file: certificate and chain; empty = that of ``http.ssl``."""
    key: str = ""
    """PEM file: the private key; empty = that of ``http.ssl``."""


class FcgiConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.fcgi``: FastCGI for a web server in front."""

    address: str = ""
    """Address for FastCGI: ``tcp://host:port``, ``host:port`` or ``unix://path``; empty = off."""


class HttpConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http``: HTTP, HTTPS and FastCGI for workers."""

    address: str = ""
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``."""
    socket_mode: Annotated[int, msgspec.Meta(ge=0, le=0o777)] = SOCKET_MODE
    """Mode of the unix sockets (``address``, ``fcgi.address``), such as 0666, regardless of the umask (not in
    RoadRunner). With 0660 the owner and the group can connect."""
    internal_error_code: Status = 500
    """Status if the worker failed; 0 = 500."""
    overload_code: Status = 503
    """Status if the queue is full or no worker becomes free in time (not in RoadRunner, which responds with 500);
    0 = 503."""
    access_logs: bool = False
    """Log long request lines instead of short ones."""
    slow_request: Duration = 0.0
    """Log a warning for requests that take this long or longer, including the wait for a worker and for a slow client
    (not in RoadRunner). 0 = off."""
    max_request_size: Annotated[int, msgspec.Meta(ge=0)] = 1000
    """Largest request body in MB (2**20 bytes); 0 = 1000, as in RoadRunner."""
    raw_body: bool = False
    """Pass forms and uploads to the worker unparsed."""
    codec: Literal["json", "protobuf"] = "json"
    """Encoding of the request context for the worker (not in RoadRunner)."""
    dev: bool = False
    """Show clients the errors and the stray output of workers (not in RoadRunner). ``pool.debug`` does this too."""
    forms: FormsConfig = FormsConfig()
    uploads: UploadsConfig = UploadsConfig()
    pool: PoolConfig = PoolConfig()
    routes: list[RouteConfig] = msgspec.field(default_factory=list)
    """Requests with a pool of their own (not in RoadRunner). The first matching route is used; other requests use
    ``pool``."""
    middleware: StringList = msgspec.field(default_factory=list)
    """Middleware between listener and workers; the first is the innermost, as in RoadRunner."""
    custom: dict[str, CustomConfig] = msgspec.field(default_factory=dict)
    """ASGI middleware of other packages, each with a name for ``middleware`` (not in RoadRunner)."""
    gzip: GzipConfig = GzipConfig()
    trusted_subnets: StringList = msgspec.field(default_factory=list)
    """For the middleware ``proxy_ip_parser``: trusted proxies, as addresses or CIDR blocks; `unix:` = proxies that
    connect to a unix socket."""
    trusted_headers: StringList = msgspec.field(default_factory=list)
    """Headers with the client's address that a trusted proxy sets, in order of precedence; empty = RoadRunner's
    five."""
    trusted_walk: bool = False
    """Use the last address in `X-Forwarded-For` or `Forwarded` that is not a trusted proxy, instead of the first, which
    the client can forge (not in RoadRunner)."""
    headers: HeadersConfig | None = None
    static: StaticConfig | None = None
    ssl: SslConfig = SslConfig()
    limits: LimitsConfig = LimitsConfig()
    http2: Http2Config = Http2Config()
    http3: Http3Config = Http3Config()
    fcgi: FcgiConfig = FcgiConfig()

    def faults(self) -> Iterable[tuple[str, str]]:
        """Invalid addresses and subnets, and routes whose pools have the same name."""
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
        """Unknown middleware, which is skipped as in RoadRunner, and options of unused middleware."""
        known = [*BUILT_IN, *self.custom]
        for at, name in enumerate(self.middleware):
            if name not in known and not is_path(name):
                near = suggest(name, known) or f"there are {', '.join(sorted(known))}"
                yield f"middleware.{at}", f"requested middleware doesn't exist; {near}"
        for name in self.custom:
            if name not in self.middleware:
                yield f"custom.{name}", "is unused: http.middleware does not name it"

    def absent(self) -> Iterable[tuple[str, str]]:
        """Middleware that can't be imported, unusable TLS files, a missing folder."""
        yield from self._absent_middleware()
        yield from self._one_of_two()
        yield from ((key, problem.message) for key, problem in self._tls_problems() if problem.fatal)
        if self.static is not None and "static" in self.middleware:
            yield from ((f"static.{key}", message) for key, message in self.static.absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """Certificates that have expired or are not valid yet."""
        yield from ((key, problem.message) for key, problem in self._tls_problems() if not problem.fatal)

    def _one_of_two(self) -> Iterable[tuple[str, str]]:
        if self.ssl.acme is None and bool(self.ssl.cert) != bool(self.ssl.key):
            there, missing = ("cert", "key") if self.ssl.cert else ("key", "cert")
            yield f"ssl.{there}", f"is set and http.ssl.{missing} is not: TLS needs both"

    def _tls_problems(self) -> Iterable[tuple[str, Problem]]:
        """Problems with TLS files, each with its key in the section."""
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
        from pyroadrunner.plugins.http.middleware.import_path import ImportPathError, import_path  # only a check does

        for at, name in enumerate(self.middleware):
            if name not in BUILT_IN and (name in self.custom or is_path(name)):
                try:
                    import_path(self.custom[name].cls if name in self.custom else name)
                except ImportPathError as wrong:
                    yield f"middleware.{at}", f"{name}: {wrong}"

    def pools(self) -> dict[str, PoolConfig]:
        """All pools of the section by name, the default pool first; routes inherit missing keys from it."""
        return {"http": self.pool} | {route.pool_name: route.pool.over(self.pool) for route in self.routes}
