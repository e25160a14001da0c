"""An update as bytes. Pure."""

from __future__ import annotations

import msgspec

from pyroadrunner.plugins.mercure.update import Update

_encode = msgspec.msgpack.Encoder().encode
# id, topics, data, whether it is private, type, retry
_decode = msgspec.msgpack.Decoder(tuple[str, tuple[str, ...], str, bool, str, int]).decode


def pack(update: Update) -> bytes:
    """For :func:`unpack`."""
    return _encode((update.id, update.topics, update.data, update.private, update.type, update.retry))


def unpack(record: bytes, sequence: int) -> Update:
    """The update that was packed."""
    identity, topics, data, private, kind, retry = _decode(record)
    return Update(topics, data, identity=identity, private=private, kind=kind, retry=retry, sequence=sequence)
