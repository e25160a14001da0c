"""What is in the bundle besides Python packages: the interpreter, the libraries in it, the launcher's."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MUSL = "1.2.5"  # of zig 0.15
# Crate, what it contains, licence, texts; if the version of the crate does not say it: a file, and what finds it there.
_CRATES = (
    ("bzip2-sys", "bzip2", "bzip2-1.0.6", "bzip2-1.0.8/LICENSE", ""),
    ("libffi-sys", "libffi", "MIT", "libffi/LICENSE", r"libffi/configure.ac AC_INIT\(\[libffi\], *\[([^]]+)\]"),
    (
        "liblzma-sys",
        "liblzma",
        "0BSD",
        "xz/COPYING.0BSD",
        r"xz/src/liblzma/api/lzma/version.h ^#define LZMA_VERSION_[MP]\w+ (\d+)$",
    ),
    ("libsqlite3-sys", "SQLite", "blessing", "", r'sqlite3/sqlite3.h ^#define SQLITE_VERSION +"([^"]+)"'),
    ("libz-sys", "zlib", "Zlib", "src/zlib/LICENSE", r'src/zlib/zlib.h ^#define ZLIB_VERSION "([^"]+)"'),
    ("openssl-src", "OpenSSL", "Apache-2.0", "openssl/LICENSE.txt", ""),
    ("zstd-sys", "zstd", "BSD-3-Clause", "zstd/LICENSE", ""),
)


@dataclass(frozen=True, kw_only=True)
class Native:
    """A part that is compiled in.

    Attributes:
        licence: an SPDX expression.
        texts: the files of its licence.
        purl: package URL of the source that it is built from.
    """

    name: str
    version: str
    licence: str
    texts: tuple[Path, ...]
    purl: str


def native(cache: Path, pins: Mapping[str, str], lock: Path, *, cxx: bool) -> list[Native]:
    """The native components.

    Args:
        cache: ``.cache/onefile``, with the sources.
        pins: the assignments in ``versions.sh``.
        lock: ``sources/Cargo.lock``.
        cxx: whether the C++ library is in the bundle.
    """
    versions = _locked(lock)
    found = [_crate(cache / "crates", versions, *row) for row in _CRATES]
    found.append(
        Native(
            name="CPython",
            version=pins["python_version"],
            licence="PSF-2.0",
            texts=(cache / "licenses" / "CPython.txt",),
            purl=f"pkg:deb/debian/python3.13@{pins['python_revision']}?arch=source",
        )
    )
    found.append(
        Native(
            name="musl",  # in the launcher
            version=_MUSL,
            licence="MIT",
            texts=(cache / f"zig-{pins['zig_version']}" / "ziglang" / "lib" / "libc" / "musl" / "COPYRIGHT",),
            purl=f"pkg:pypi/ziglang@{pins['zig_version']}",
        )
    )
    if cxx:
        found.append(
            Native(
                name="libstdc++",
                version=pins["gcc_revision"].partition("-")[0],
                licence="GPL-3.0-or-later WITH GCC-exception-3.1",
                texts=(cache / "licenses" / "libstdc++.txt",),
                purl=f"pkg:deb/debian/libstdc%2B%2B6@{pins['gcc_revision']}",
            )
        )
    return found


def _crate(
    crates: Path, versions: Mapping[str, str], name: str, title: str, licence: str, texts: str, known: str
) -> Native:
    home = crates / f"{name}-{versions[name]}"
    build = versions[name].partition("+")[2].removeprefix("zstd.")
    if known:
        file, _, pattern = known.partition(" ")
        build = ".".join(re.findall(pattern, (home / file).read_text("utf-8", "replace"), re.MULTILINE))
    return Native(
        name=title,
        version=build,
        licence=licence,
        texts=tuple(home / text for text in texts.split()),
        purl=f"pkg:cargo/{name}@{versions[name]}",
    )


def write(components: list[Native], folder: Path) -> None:
    """Write ``components.json`` and the texts, which ``rr licenses`` reads."""
    texts = folder / "licenses"
    texts.mkdir(parents=True)
    rows = []
    for component in components:
        names = []
        for number, text in enumerate(component.texts):
            names.append(f"{component.name}{number or ''}.txt")
            shutil.copyfile(text, texts / names[-1])
        rows.append(
            {"name": component.name, "version": component.version, "license": component.licence, "texts": names}
        )
    (folder / "components.json").write_text(json.dumps(rows, indent=1), "utf-8")


def pins_of(versions: Path) -> dict[str, str]:
    """The plain assignments of a shell script: ``name=value``."""
    lines = re.findall(r"^ *([a-z0-9_]+)=([^\s$()]+)(?: *#.*)?$", versions.read_text("utf-8"), re.MULTILINE)
    return dict(lines)


def _locked(lock: Path) -> dict[str, str]:
    packages = tomllib.loads(lock.read_text("utf-8"))["package"]
    return {package["name"]: package["version"] for package in packages}
