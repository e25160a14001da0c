"""A worker's reply: metadata, status. Pure.

A context is a JSON object of strings, in one of two styles, decided per reply. Flat: each pair is a header of the
response. Split, if it has the key ``headers`` or ``trailers``: both hold a JSON object as a string. In both styles
``error`` holds a ``google.rpc.Status`` in base64. An error frame may have RoadRunner's older form:
``code|:|message|:|detail|:|detail``.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from pyroadrunner.grpcd import GrpcStatus, Pairs, Response, StatusCode
from pyroadrunner.grpcd.metadata import encode_pair
from pyroadrunner.grpcd.status import is_any, read_status, write_status

_DELIMITER = b"|:|"
_DIGITS = re.compile(rb"[0-9]+")
_EMPTY = (b"", b"{}", b"null")
_decode = msgspec.json.Decoder(dict[str, str | None]).decode
_decode_object = msgspec.json.Decoder(dict[str, Any] | list[Any] | None).decode


class ReplyHead:
    """What the context of a reply says.

    Attributes:
        headers, trailers: metadata.
        error: the code, the message and the serialized ``google.rpc.Status``; ``None`` = the call succeeds.
        says_ok: it has an ``error`` with the code OK, or an empty one, which is the same: nothing is serialized of it.
        dropped: what of the context was ignored, for the log.
    """

    __slots__ = ("dropped", "error", "headers", "says_ok", "trailers")

    def __init__(self) -> None:
        self.headers: Pairs = []
        self.trailers: Pairs = []
        self.error: GrpcStatus | None = None
        self.says_ok = False
        self.dropped: list[str] = []

    def __repr__(self) -> str:
        return f"ReplyHead(headers={self.headers}, trailers={self.trailers}, error={self.error!r})"

    def apply(self, response: Response) -> None:
        """Put the trailers and the status into a response whose headers may have been sent."""
        if self.trailers:
            response.trailers = [*(response.trailers or ()), *self.trailers]
        if self.error is not None:
            response.code, response.text = self.error.code, self.error.message
            response.details = self.error.details


def is_empty(context: bytes) -> bool:
    """Whether a context says nothing."""
    return context in _EMPTY


def read_head(context: bytes) -> ReplyHead:
    """Read the context of a reply.

    Raises:
        GrpcStatus: UNKNOWN; the context or its error can't be read.
    """
    head = ReplyHead()
    if context in _EMPTY:
        return head
    try:
        pairs = {key.lower(): value or "" for key, value in _decode(context).items()}
    except (msgspec.DecodeError, ValueError) as wrong:  # ValueError: invalid UTF-8
        raise GrpcStatus(StatusCode.UNKNOWN, f"the worker's context can't be read: {wrong}") from wrong
    if "headers" in pairs or "trailers" in pairs:
        for key, target in (("headers", head.headers), ("trailers", head.trailers)):
            if key in pairs:
                _add_all(target, _inner(pairs[key], key, head.dropped), head.dropped)
    else:
        _add_all(head.headers, ((key, value) for key, value in pairs.items() if key != "error"), head.dropped)
    if error := pairs.get("error"):
        _read_error(error, head)
    head.says_ok = error is not None and head.error is None
    return head


def response_of(context: bytes, body: bytes, *, streams: bool = False) -> tuple[Response, list[str]]:
    """The response of a whole reply, and what of its context was ignored.

    Args:
        streams: whether the method may answer with any number of messages. A reply that says OK and has no body then
            has none.

    Raises:
        GrpcStatus: the reply can't be read.
    """
    head = read_head(context)
    response = Response(body, headers=head.headers or None)
    head.apply(response)
    if head.error is not None or (streams and head.says_ok and not body):
        response.message = None
    return response, head.dropped


def worker_error(text: bytes, whole: str) -> GrpcStatus:
    """The status of an error frame.

    Args:
        text: the payload of the frame.
        whole: the text of a plain error, for the client.
    """
    chunks = text.split(_DELIMITER)
    if len(chunks) < 2:
        return GrpcStatus(StatusCode.INTERNAL, whole)
    if _DIGITS.fullmatch(chunks[0]) is None or len(chunks[0]) > 20 or int(chunks[0]) >= 1 << 32:
        return GrpcStatus(StatusCode.UNKNOWN, whole)
    code = int(chunks[0]) or int(StatusCode.INTERNAL)
    message = chunks[1].decode("utf-8", "replace")
    details = [one for one in chunks[2:] if is_any(one)]
    return GrpcStatus(code, message, write_status(code, message, details) if details else b"")


def _read_error(text: str, head: ReplyHead) -> None:
    try:
        data = binascii.a2b_base64(text.replace("\n", "").replace("\r", "").encode("ascii"), strict_mode=True)
        status = read_status(data)
    except (ValueError, UnicodeError) as wrong:
        raise GrpcStatus(StatusCode.UNKNOWN, f"the worker's error can't be read: {wrong}") from wrong
    if status.code:
        head.error = GrpcStatus(status.code & 0xFFFFFFFF, status.message, data if status.has_details else b"")


def _inner(text: str, key: str, dropped: list[str]) -> Iterator[tuple[str, str]]:
    """The pairs of an object that is a JSON string; a list as a value stands for several values."""
    if not text:
        return
    try:
        decoded = _decode_object(text)
    except msgspec.DecodeError as wrong:
        dropped.append(f"{key}: {wrong}")
        return
    if not isinstance(decoded, dict):
        if decoded:
            dropped.append(f"{key}: is no object")
        return
    for name, value in decoded.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield name, one
            elif isinstance(one, int) and not isinstance(one, bool):
                yield name, str(one)
            else:
                dropped.append(f"{key}.{name}: is no string")


def _add_all(target: Pairs, pairs: Iterator[tuple[str, str]], dropped: list[str]) -> None:
    for name, value in pairs:
        pair = encode_pair(name, value)
        if pair is None:
            dropped.append(f"{name}: not allowed in metadata")
        else:
            target.append(pair)
