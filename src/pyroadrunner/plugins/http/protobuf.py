"""The request context in protobuf (``http.codec: protobuf``). Imported only if configured: protobuf costs start
time."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pyroadrunner.plugins.http.request import Context
from pyroadrunner.proto.http.v1.http_pb2 import HeaderValue, Request


def encode_protobuf(context: Context) -> bytes:
    """Encode the context as ``http.v1.Request``. All text in it must be valid Unicode."""
    message = Request(
        remote_addr=context.remote_addr,
        protocol=context.protocol,
        method=context.method,
        uri=context.uri,
        raw_query=context.raw_query,
        parsed=context.parsed,
        uploads=b"" if context.uploads is None else msgspec.json.encode(context.uploads),
        header={name: HeaderValue(value=_bytes(values)) for name, values in context.headers.items()},
        cookies=_single(context.cookies),
        attributes=_single(context.attributes),
    )
    return message.SerializeToString()


def _single(values: Mapping[str, str]) -> dict[str, HeaderValue]:
    return {name: HeaderValue(value=[text.encode()]) for name, text in values.items()}


def _bytes(values: list[str]) -> list[bytes]:
    return [text.encode() for text in values]
