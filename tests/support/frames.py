"""Whole frames of goridge 3.8.3 (Go) and Spiral\\Goridge 4.2.0 (PHP): one table for encoding and decoding.

Computed with Python, byte-identical to the frames of those two; V14, V17 and V18 were captured between a PHP
client and RoadRunner.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyroadrunner.goridge.frame import Flag, Frame, Stream


@dataclass(frozen=True)
class Vector:
    """A frame, and its bytes on the wire."""

    name: str
    wire: bytes
    frame: Frame


def _vector(name: str, wire: str, flags: int, payload: bytes = b"", *options: int, stream: int = 0) -> Vector:
    return Vector(name, bytes.fromhex(wire), Frame(flags, payload, options, stream))


_CONTEXT = b'{"a":1}'
_INFORMER = b"informer.Workers"
_BAD_ARGUMENT = b"invalid character 't' looking for beginning of value"

VECTORS = [
    _vector("pid request", "13090c0000005f0c467300007b22706964223a313233347d", 0x09, b'{"pid":1234}'),
    _vector("pid reply", "13010c0000009e47364300007b22706964223a343332317d", Flag.CONTROL, b'{"pid":4321}'),
    _vector("stop control", "13090d0000003a6bfacb00007b2273746f70223a747275657d", 0x09, b'{"stop":true}'),
    _vector("request", "14000c000000965e53630000070000007b2261223a317d68656c6c6f", 0, _CONTEXT + b"hello", 7),
    _vector("json", "14080c000000571523530000070000007b2261223a317d68656c6c6f", Flag.JSON, _CONTEXT + b"hello", 7),
    _vector("protobuf", "14800c00000004eeb5d20000070000007b2261223a317d68656c6c6f", Flag.PROTO, _CONTEXT + b"hello", 7),
    _vector("worker error", "134004000000881e11e30000626f6f6d", Flag.ERROR, b"boom"),
    _vector("stop reply", "14000d000000f339efdb00000d0000007b2273746f70223a747275657d", 0, b'{"stop":true}', 13),
    _vector("chunk", "1480050000008ea1bdaf01000000000068656c6c6f", Flag.PROTO, b"hello", 0, stream=Stream.STREAM),
    _vector(
        "chunk with ping",
        "1480050000008ea1bdaf05000000000068656c6c6f",
        Flag.PROTO,
        b"hello",
        0,
        stream=Stream.STREAM | Stream.PING,
    ),
    _vector("pong", "13000000000096d180340800", 0, stream=Stream.PONG),
    _vector("stream stop", "13000000000096d180340200", 0, stream=Stream.STOP),
    _vector("empty final frame", "1400000000002ee18529000000000000", 0, b"", 0),
    _vector(
        "rpc call",
        "15081400000082b9d20d00000100000010000000696e666f726d65722e576f726b65727374727565",
        Flag.JSON,
        _INFORMER + b"true",
        1,
        16,
    ),
    _vector(
        "rpc call with a string",
        "1508160000000971dba700000100000010000000696e666f726d65722e576f726b657273226874747022",
        Flag.JSON,
        _INFORMER + b'"http"',
        1,
        16,
    ),
    _vector(
        "rpc reply",
        "15082000000074d69b7200000100000010000000696e666f726d65722e576f726b6572737b22776f726b657273223a6e756c6c7d",
        Flag.JSON,
        _INFORMER + b'{"workers":null}',
        1,
        16,
    ),
    _vector(
        "rpc error of the decoder",
        "15484400000069ee2c9e00000100000010000000696e666f726d65722e576f726b657273696e76616c69642063686172616374657220"
        "277427206c6f6f6b696e6720666f7220626567696e6e696e67206f662076616c7565",
        Flag.JSON | Flag.ERROR,
        _INFORMER + _BAD_ARGUMENT,
        1,
        16,
    ),
    _vector(
        "rpc error of the service",
        "15482a000000596ed545000005000000090000006e6f70652e4e6f70657270633a2063616e27742066696e642073657276696365206e6f"
        "70652e4e6f7065",
        Flag.JSON | Flag.ERROR,
        b"nope.Nope" + b"rpc: can't find service nope.Nope",
        5,
        9,
    ),
]
