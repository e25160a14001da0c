"""A Debian package of the tree: in ``/opt/pyroadrunner``, with ``/usr/bin/rr`` and a unit for systemd. It needs no
first start and no cache."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_HOME = "opt/pyroadrunner"
_COMMAND = """\
#!/bin/sh
exec /opt/pyroadrunner/bin/rr -I -m pyroadrunner.cli "$@"
"""
_RELOAD = """\
#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
"""
_CONTROL = """\
Package: pyroadrunner
Version: {version}
Architecture: {architecture}
Maintainer: The pyroadrunner authors <pyroadrunner@users.noreply.github.com>
Installed-Size: {size}
Depends: libc6 (>= {glibc})
Recommends: php-cli
Conflicts: rr
Section: web
Priority: optional
Homepage: https://github.com/pyroadrunner/pyroadrunner
Description: RoadRunner in Python
 An application server and process manager that keeps PHP and Python workers
 alive between requests. It brings its own interpreter and all drivers.
"""


def build(tree: Path, unit: Path, licence: Path, out: Path, *, version: str, architecture: str, glibc: str) -> None:
    """Build the package.

    Args:
        tree: what the one file unpacks.
        unit: the example of a unit for systemd.
        licence: the licence of pyroadrunner.
        out: file to write.
        architecture: Debian's name of it.
        glibc: the oldest version that will do.
    """
    root = out.with_suffix(".tree")
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(tree, root / _HOME, symlinks=True)
    _write(root / "usr/bin/rr", _COMMAND, 0o755)
    _write(root / "usr/lib/systemd/system/rr.service", service(unit.read_text("utf-8")))
    _write(root / "usr/share/doc/pyroadrunner/copyright", licence.read_text("utf-8"))
    size = sum(path.lstat().st_size for path in root.rglob("*")) // 1024
    control = _CONTROL.format(version=version, architecture=architecture, size=size, glibc=glibc)
    _write(root / "DEBIAN/control", control)
    for script in ("postinst", "postrm"):
        _write(root / "DEBIAN" / script, _RELOAD, 0o755)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    command = ["dpkg-deb", "-Zxz", "--root-owner-group", "--build", str(root), str(out)]
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": "1577836800"}
    )
    shutil.rmtree(root)


def service(example: str) -> str:
    """The unit of the package, from the one in ``examples/systemd``. Pure."""
    changed = example.replace(
        "# /etc/systemd/system/rr.service\n", "# Change folder and user with: systemctl edit rr\n"
    )
    changed = changed.replace("ExecStart=/opt/rr/bin/rr ", "ExecStart=/usr/bin/rr ").replace(
        "User=app\n", "User=www-data\n"
    )
    if "/usr/bin/rr" not in changed:
        raise ValueError("examples/systemd/rr.service has changed: it has no ExecStart=/opt/rr/bin/rr")
    return changed


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
