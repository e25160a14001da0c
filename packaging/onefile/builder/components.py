"""What is in the bundle besides Python packages: the interpreter, the libraries in it, the launcher's."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Native:
    """A part that is compiled in.

    Attributes:
        license: an SPDX expression.
        texts: the files of its licence.
        purl: package URL of the source that it is built from.
    """

    name: str
    version: str
    license: str
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

    def crate(name: str, folder: str, title: str, version: str, license: str, *texts: str) -> Native:
        source = cache / "crates" / f"{name}-{versions[name]}" / folder
        purl = f"pkg:cargo/{name}@{versions[name]}"
        files = tuple(source / text for text in texts)
        return Native(name=title, version=version, license=license, texts=files, purl=purl)

    def crate_with_build(name: str) -> str:
        return versions[name].partition("+")[2]

    python, zig = pins["python_version"], pins["zig_version"]
    found = [
        Native(
            name="CPython",
            version=python,
            license="PSF-2.0",
            texts=(cache / "licenses" / "CPython.txt",),
            purl=f"pkg:deb/debian/python3.13@{pins['python_revision']}?arch=source",
        ),
        crate("openssl-src", "openssl", "OpenSSL", crate_with_build("openssl-src"), "Apache-2.0", "LICENSE.txt"),
        crate("libffi-sys", "libffi", "libffi", _libffi(cache, versions), "MIT", "LICENSE"),
        crate("libz-sys", "src/zlib", "zlib", _defined(cache, versions, "libz-sys", "src/zlib/zlib.h", "ZLIB_VERSION"), "Zlib", "LICENSE"),
        crate("bzip2-sys", "bzip2-1.0.8", "bzip2", crate_with_build("bzip2-sys"), "bzip2-1.0.6", "LICENSE"),
        crate("liblzma-sys", "xz", "liblzma", _xz(cache, versions), "0BSD", "COPYING.0BSD"),
        crate("libsqlite3-sys", "sqlite3", "SQLite", _defined(cache, versions, "libsqlite3-sys", "sqlite3/sqlite3.h", "SQLITE_VERSION"), "blessing"),
        crate("zstd-sys", "zstd", "zstd", crate_with_build("zstd-sys").removeprefix("zstd."), "BSD-3-Clause", "LICENSE"),
        Native(
            name="musl",
            version="1.2.5",  # of zig 0.15; in the launcher
            license="MIT",
            texts=(cache / f"zig-{zig}" / "ziglang" / "lib" / "libc" / "musl" / "COPYRIGHT",),
            purl=f"pkg:pypi/ziglang@{zig}",
        ),
    ]  # fmt: skip
    if cxx:
        found.append(
            Native(
                name="libstdc++",
                version=pins["gcc_revision"].partition("-")[0],
                license="GPL-3.0-or-later WITH GCC-exception-3.1",
                texts=(cache / "licenses" / "libstdc++.txt",),
                purl=f"pkg:deb/debian/libstdc%2B%2B6@{pins['gcc_revision']}",
            )
        )
    return found


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
            {"name": component.name, "version": component.version, "license": component.license, "texts": names}
        )
    (folder / "components.json").write_text(json.dumps(rows, indent=1), "utf-8")


def pins_of(versions: Path) -> dict[str, str]:
    """The plain assignments of a shell script: ``name=value``."""
    lines = re.findall(r"^ *([a-z0-9_]+)=([^\s$()]+)(?: *#.*)?$", versions.read_text("utf-8"), re.MULTILINE)
    return dict(lines)


def _locked(lock: Path) -> dict[str, str]:
    packages = tomllib.loads(lock.read_text("utf-8"))["package"]
    return {package["name"]: package["version"] for package in packages}


def _defined(cache: Path, versions: Mapping[str, str], crate: str, header: str, macro: str) -> str:
    text = (cache / "crates" / f"{crate}-{versions[crate]}" / header).read_text("utf-8", "replace")
    match = re.search(rf'^#define {macro}\s+"([^"]+)"', text, re.MULTILINE)
    return match[1] if match else ""


def _libffi(cache: Path, versions: Mapping[str, str]) -> str:
    text = (cache / "crates" / f"libffi-sys-{versions['libffi-sys']}" / "libffi" / "configure.ac").read_text("utf-8")
    match = re.search(r"AC_INIT\(\[libffi\],\s*\[([^\]]+)\]", text)
    return match[1] if match else ""


def _xz(cache: Path, versions: Mapping[str, str]) -> str:
    header = cache / "crates" / f"liblzma-sys-{versions['liblzma-sys']}" / "xz/src/liblzma/api/lzma/version.h"
    numbers = dict(re.findall(r"#define LZMA_VERSION_(MAJOR|MINOR|PATCH) (\d+)", header.read_text("utf-8")))
    return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))
