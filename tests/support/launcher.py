"""The launcher of the one file, compiled from ``packaging/onefile/launcher`` by the system's compiler, and small files
made with it: in place of CPython they have a shell script that prints how it was started."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.archive import pack, tar

_ROOT = Path(__file__).parents[2]
_SOURCES = _ROOT / "packaging" / "onefile" / "launcher"
_FLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror", "-O1", "-static")
_SCRIPT = """\
#!/bin/sh
echo "pid $$"
echo "file $RR_ONEFILE"
for word; do echo "argument $word"; done
"""


def launcher() -> Path:
    """Path of the compiled launcher; it is compiled once. Without compiler or zstd the test is skipped on a laptop and
    fails in CI (``CI`` is set)."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/zstd.h").exists():
        why = "a C compiler and libzstd-dev are needed to compile the launcher of the one file"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    sources = sorted(_SOURCES.glob("*.[ch]"))
    key = hashlib.sha256(b"".join([repr(_FLAGS).encode(), *(path.read_bytes() for path in sources)])).hexdigest()[:16]
    out = _ROOT / ".cache" / "launcher" / key
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as place:  # several processes may compile it at once
            new = Path(place) / "launcher"
            files = [str(path) for path in sources if path.suffix == ".c"]
            done = subprocess.run([compiler, *_FLAGS, *files, "-lzstd", "-o", str(new)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            new.replace(out)
    return out


def write_file(path: Path, *, version: str = "1", files: int = 3) -> Path:
    """Write a one file.

    Args:
        version: part of its content; each version has a digest of its own.
        files: number of small files in it.
    """
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place)
        (tree / "bin").mkdir()
        program = tree / "bin" / "rr"
        program.write_text(_SCRIPT)
        program.chmod(0o755)
        (tree / "lib").mkdir()
        (tree / "lib" / "link").symlink_to("version")
        (tree / "lib" / "version").write_text(version)
        for number in range(files):
            (tree / "lib" / f"module{number}.pyc").write_bytes(b"x" * 700)
        path.write_bytes(pack(launcher().read_bytes(), tar(tree), level=1))
    path.chmod(0o755)
    return path


def digest_of(file: Path) -> str:
    """The name of the folder that a one file unpacks to."""
    return file.read_bytes()[-40:].decode()


@dataclass(frozen=True)
class Run:
    """A finished start.

    Attributes:
        code: exit code.
        out: what the script in the file printed.
        err: messages of the launcher.
    """

    code: int
    out: str
    err: str

    @property
    def started(self) -> bool:
        return self.code == 0 and "argument pyroadrunner.cli\n" in self.out


def start(file: Path, *arguments: str, env: dict[str, str], before: str = "", user: int | None = None) -> Run:
    """Start a one file and wait for its end.

    Args:
        env: the whole environment, but ``PATH``.
        before: shell commands to run before, in a mount namespace of their own.
        user: start as this user (needs root).
    """
    command = [str(file), *arguments]
    if before:
        unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
        command = [*unshare, "sh", "-c", f'set -e; {before}; exec "$@"', "sh", *command]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, timeout=60, user=user
    )
    return Run(done.returncode, done.stdout, done.stderr)
