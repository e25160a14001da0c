"""The one file: launcher, archive, footer. ``launcher/payload.h`` and ``launcher/archive.c`` read it."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
import tarfile
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, compress
else:
    from backports.zstd import CompressionParameter, compress

_MAGIC = b"RRONEFL1"
_DIGEST = 40  # hex digits
_ALIGNMENT = 4096  # the archive is mapped into memory
_LEVEL = 22
_WINDOW = 26  # the unpacking needs 64 MB of memory for it; 27 saves another 1 % and needs 128 MB


def tar(tree: Path) -> bytes:
    """A folder as ustar, with sorted names, and without times and owners."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(tree.rglob("*"), key=lambda path: path.relative_to(tree).parts):
            archive.add(path, str(path.relative_to(tree)), recursive=False, filter=_anonymous)
    return out.getvalue()


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry


def pack(launcher: bytes, archive: bytes, *, level: int = _LEVEL) -> bytes:
    """The bytes of the executable."""
    options: dict[int, int] = {
        CompressionParameter.compression_level: level,
        CompressionParameter.window_log: _WINDOW,
        CompressionParameter.enable_long_distance_matching: 1,
        CompressionParameter.checksum_flag: 1,
    }
    compressed = compress(archive, options=options)
    front = launcher + bytes(-len(launcher) % _ALIGNMENT)
    digest = hashlib.sha256(compressed).hexdigest()[:_DIGEST]
    footer = _MAGIC + struct.pack("<QQ", len(front), len(compressed)) + digest.encode()
    return front + compressed + footer


def write(tree: Path, launcher: Path, out: Path) -> None:
    """Pack a tree into an executable file, which appears whole."""
    new = out.with_name(out.name + ".new")
    new.write_bytes(pack(launcher.read_bytes(), tar(tree)))
    new.chmod(0o755)
    os.replace(new, out)
