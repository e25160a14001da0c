"""The ``http`` section. Keys of parts that are not built yet are accepted (a RoadRunner config must load)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pyroadrunner.config.values import StringList
from pyroadrunner.workers.config import PoolConfig


class UploadsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.uploads``: where multipart files are kept while a request runs, and which are refused."""

    dir: str = ""
    """Folder for temporary files; empty = the system's."""
    forbid: StringList = msgspec.field(default_factory=list)
    """Extensions (with dot) that are refused with upload error 8."""
    allow: StringList = msgspec.field(default_factory=list)
    """When not empty: only these extensions, minus ``forbid``."""


class HttpConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http``."""

    address: str = ""
    """``host:port``, ``:port``, ``[::1]:port``, ``tcp://...`` or ``unix://path``."""
    internal_error_code: int = 500
    """Status of a request whose worker failed."""
    overload_code: int = 503
    """Status of a request that found the queue full or no worker in time (ours; 500 is what RoadRunner answers)."""
    access_logs: bool = False
    """Long request lines instead of short ones."""
    max_request_size: int = 1000
    """Largest request body in MB (2**20 bytes); 0 = 1000, as in RoadRunner."""
    raw_body: bool = False
    """Pass forms and uploads on unparsed."""
    codec: Literal["json", "protobuf"] = "json"
    """How the request context is encoded for the worker (ours)."""
    uploads: UploadsConfig = UploadsConfig()
    pool: PoolConfig = PoolConfig()
    middleware: StringList = msgspec.field(default_factory=list)
    trusted_subnets: StringList = msgspec.field(default_factory=list)
    trusted_headers: StringList = msgspec.field(default_factory=list)
    headers: dict[str, Any] | None = None
    static: dict[str, Any] | None = None
    ssl: dict[str, Any] | None = None
    http2: dict[str, Any] | None = None
    http3: dict[str, Any] | None = None
    fcgi: dict[str, Any] | None = None
