"""Changes to ELF files (64-bit, little endian) that need no tool."""

from __future__ import annotations

import struct
from pathlib import Path

_PT_DYNAMIC = 2
_DT_NULL = 0
_DT_RPATH = 15
_DT_RUNPATH = 29


def search_for_all(program: Path) -> None:
    """Let the search path of a program (DT_RUNPATH, only for its own libraries) count for libraries that are loaded
    later as well (DT_RPATH). zig's linker has no option for it."""
    data = bytearray(program.read_bytes())
    offset, size = _dynamic_section(data)
    for position in range(offset, offset + size, 16):
        (tag,) = struct.unpack_from("<q", data, position)
        if tag == _DT_NULL:
            break
        if tag == _DT_RUNPATH:
            struct.pack_into("<q", data, position, _DT_RPATH)
    program.write_bytes(data)


def _dynamic_section(data: bytes | bytearray) -> tuple[int, int]:
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("this is not a 64-bit ELF file")
    (headers,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for index in range(count):
        start = headers + index * size
        kind, _flags, offset, _virtual, _physical, length = struct.unpack_from("<IIQQQQ", data, start)
        if kind == _PT_DYNAMIC:
            return offset, length
    raise ValueError("this file is not linked dynamically")
