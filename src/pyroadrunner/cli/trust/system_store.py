"""Debian's store of certificate authorities (``ca-certificates``), which curl, PHP and most programs read.

Firefox and Chrome have stores of their own: see :data:`BROWSERS`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from pyroadrunner.errors import RoadRunnerError

FOLDER = Path("/usr/local/share/ca-certificates")
UPDATE = "update-ca-certificates"
BROWSERS = """\
Browsers have stores of their own:
  Chrome   Settings > Privacy and security > Security > Manage certificates > Authorities > Import
           or: certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n pyroadrunner -i {path}
  Firefox  Settings > Privacy & Security > View Certificates > Authorities > Import
Choose this file and trust it for websites: {path}"""


def installed_name(certificate: Path) -> str:
    """The file name in the store: each user has an authority of their own."""
    return f"pyroadrunner-{certificate.stat().st_uid}.crt"


def is_installed(certificate: Path, folder: Path = FOLDER) -> bool:
    """Whether the machine trusts this authority."""
    try:
        return (folder / installed_name(certificate)).read_bytes() == certificate.read_bytes()
    except OSError:
        return False


def install_command(certificate: Path, folder: Path = FOLDER) -> str:
    """The shell command that installs it."""
    return f"sudo cp {certificate} {folder / installed_name(certificate)} && sudo {UPDATE}"


def uninstall_command(certificate: Path, folder: Path = FOLDER) -> str:
    """The shell command that removes it."""
    return f"sudo rm {folder / installed_name(certificate)} && sudo {UPDATE} --fresh"


def install(certificate: Path, folder: Path = FOLDER) -> None:
    """Add the authority to the store. Needs root.

    Raises:
        RoadRunnerError: it is not a Debian store, or not permitted.
    """
    _require(folder)
    try:
        shutil.copyfile(certificate, folder / installed_name(certificate))
        os.chmod(folder / installed_name(certificate), 0o644)
    except OSError as wrong:
        raise RoadRunnerError(f"{folder}: {(wrong.strerror or str(wrong)).lower()}") from wrong
    _update()


def uninstall(certificate: Path, folder: Path = FOLDER) -> bool:
    """Remove the authority from the store. Needs root.

    Returns:
        Whether it was there.

    Raises:
        RoadRunnerError: it is not a Debian store, or not permitted.
    """
    _require(folder)
    try:
        (folder / installed_name(certificate)).unlink()
    except FileNotFoundError:
        return False
    except OSError as wrong:
        raise RoadRunnerError(f"{folder}: {(wrong.strerror or str(wrong)).lower()}") from wrong
    _update("--fresh")
    return True


def is_supported(folder: Path = FOLDER) -> bool:
    """Whether this machine has Debian's store."""
    return folder.is_dir() and _program() is not None


def _require(folder: Path) -> None:
    if not is_supported(folder):
        raise RoadRunnerError(
            f"this machine has no {UPDATE}: add the file to its store of certificate authorities by hand"
        )


def _program() -> str | None:
    return shutil.which(UPDATE, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _update(*flags: str) -> None:
    done = subprocess.run([_program() or UPDATE, *flags], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RoadRunnerError(f"{UPDATE} failed: {(done.stderr or done.stdout).strip()}")
