"""The bounds of a client connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes.

    Attributes:
        head_timeout: from the first byte of a head to its last, and from a new connection to its first byte.
        idle_timeout: between two requests; 0 = no limit (of the engine alone).
        body_timeout: without a byte while a request body arrives; 0 = no limit (of the engine alone).
        write_timeout: without a byte read by the client while data waits for it.
        max_head: request line and headers together.
        max_buffer: what a client may send ahead, and what may wait for a client before the application waits.
        max_connections: concurrent connections; 0 = half of the limit of open files.
        keepalive: silence after which the kernel asks whether the client is still there; 0 = never.
        keepalive_timeout: for the answer; then the connection is closed.
    """

    head_timeout: float = 30.0
    idle_timeout: float = 3600.0
    body_timeout: float = 60.0
    write_timeout: float = 300.0
    max_head: int = 1 << 20
    max_buffer: int = 1 << 18
    max_connections: int = 0
    keepalive: float = 0.0
    keepalive_timeout: float = 20.0
