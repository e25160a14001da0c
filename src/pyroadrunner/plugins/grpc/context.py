"""The context of a call for its worker: service, method, metadata. Pure.

JSON, as RoadRunner's: ``{"service":"pkg.Echo","method":"Ping","context":{"x-key":["v1","v2"],...}}``.
"""

from __future__ import annotations

import binascii
from base64 import b64encode
from collections.abc import Iterable

import msgspec

from pyroadrunner.grpcd import GrpcStatus, Request, StatusCode
from pyroadrunner.grpcd.metadata import decode_bin

_encode = msgspec.json.Encoder().encode

# Of the protocol; grpc-go keeps them from its applications, too. The authority comes with the request.
_HIDDEN = frozenset(
    {
        b":authority",
        b"grpc-encoding",
        b"grpc-message",
        b"grpc-message-type",
        b"grpc-status",
        b"grpc-status-details-bin",
        b"grpc-timeout",
        b"host",
        b"te",
    }
)
# A trace that the client has begun, in the spelling of RoadRunner's server span.
TRACE_KEYS = {
    b"baggage": "Baggage",
    b"traceparent": "Traceparent",
    b"tracestate": "Tracestate",
    b"uber-trace-id": "Uber-Trace-Id",
}
_TIMEOUT = ":timeout-ms"  # what the client gave the call when it arrived
_BASE64 = ":base64"  # behind the name of a -bin key: its values in base64; no client can send a key with a colon


class ContextEncoder:
    """Encodes the contexts of one method."""

    __slots__ = ("_begin",)

    def __init__(self, service: str, method: str) -> None:
        self._begin = b'{"service":%b,"method":%b,"context":' % (_encode(service), _encode(method))

    def __repr__(self) -> str:
        return f"ContextEncoder({self._begin!r})"

    def encode(self, request: Request, trace: Iterable[tuple[bytes, bytes]] | None = None) -> bytes:
        """The context of a call.

        Args:
            trace: headers of the server's span; ``None`` = there is none, so the worker continues the client's.

        Raises:
            GrpcStatus: INTERNAL if a ``-bin`` value is no base64.
        """
        return b"%b%b}" % (self._begin, _encode(metadata(request, trace)))


def metadata(request: Request, trace: Iterable[tuple[bytes, bytes]] | None = None) -> dict[str, list[str]]:
    """The metadata of a call, each key with a list of values."""
    found: dict[str, list[str]] = {}
    for name, value in request.headers:
        if name in _HIDDEN:
            continue
        key = name.decode("utf-8", "replace")
        if name.endswith(b"-bin"):
            _add_binary(found, key, value)
        elif key in found:
            found[key].append(value.decode("utf-8", "replace"))
        else:
            found[key] = [value.decode("utf-8", "replace")]
    if trace is not None:
        for name, value in trace:
            found[TRACE_KEYS.get(name) or name.decode()] = [value.decode("utf-8", "replace")]
    else:
        for name, key in TRACE_KEYS.items():
            values = found.get(name.decode())
            if values:
                found[key] = values
    if request.authority:
        found[":authority"] = [request.authority]
    found[":peer.address"] = [peer_address(request.peer)]
    if request.timeout is not None:
        found[_TIMEOUT] = [str(int(request.timeout * 1000))]
    if request.tls:
        found[":peer.auth-type"] = ["tls"]
    return found


def peer_address(peer: tuple[str, int] | None) -> str:
    """``ip:port``, ``[ipv6]:port``, or ``@`` on a unix socket, as Go writes it."""
    if peer is None:
        return "@"
    host, port = peer
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _add_binary(found: dict[str, list[str]], key: str, value: bytes) -> None:
    try:
        values = decode_bin(value)
    except (ValueError, binascii.Error) as wrong:
        raise GrpcStatus(StatusCode.INTERNAL, f"malformed binary metadata {key!r}: {wrong}") from wrong
    # JSON has no bytes: what is no UTF-8 becomes U+FFFD, as in RoadRunner. The second key keeps it.
    found.setdefault(key, []).extend(one.decode("utf-8", "replace") for one in values)
    found.setdefault(key + _BASE64, []).extend(b64encode(one).decode() for one in values)
