"""Results of a store -> messages of ``kv.v1``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyroadrunner.plugins.kv.timestamps import format_timestamp
from pyroadrunner.proto.kv.v1.kv_pb2 import CountResponse, Response


def keys(found: Iterable[str]) -> Response:
    """Items with a key only."""
    response = Response()
    add = response.items.add
    for key in found:
        add().key = key
    return response


def values(found: Mapping[str, bytes]) -> Response:
    """Items with key and value."""
    response = Response()
    add = response.items.add
    for key, value in found.items():
        item = add()  # setting the fields is faster than passing them as arguments
        item.key = key
        item.value = value
    return response


def times(found: Mapping[str, int | None]) -> Response:
    """Items with key and time; the time is empty if the item never expires."""
    response = Response()
    add = response.items.add
    for key, expires in found.items():
        item = add()
        item.key = key
        if expires is not None:
            item.timeout = format_timestamp(expires)
    return response


def nothing(_: None) -> Response:
    return Response()


def count(value: int) -> CountResponse:
    return CountResponse(value=value)
