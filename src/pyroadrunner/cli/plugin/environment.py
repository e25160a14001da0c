"""Where plugins are installed: in the Python environment that runs ``rr``, or, if ``rr`` is bundled with its
interpreter, in a folder of its own."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from pyroadrunner.cli.plugin.packages import Package, installed_in
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.installation import bundle_folder, plugin_folder


class NotWritable(RoadRunnerError):
    """The folder of plugins can't be created or changed."""


@dataclass(frozen=True)
class Environment:
    """Where pip installs.

    Attributes:
        python: the interpreter that runs pip there.
        folder: the folder of plugins; ``None`` = the environment of ``python``.
        pinned: requirements that pip must not change: what the server itself consists of.
    """

    python: Path
    folder: Path | None
    pinned: tuple[str, ...]

    def packages(self) -> list[Package]:
        """What is installed here, without the server's own packages if they are elsewhere."""
        return installed_in(None if self.folder is None else plugin_folder.packages_in(self.folder))


def current() -> Environment:
    """The environment of this process; nothing is created."""
    if not bundle_folder():
        return Environment(Path(sys.executable), None, tuple(_pins("pyroadrunner")))
    folder = plugin_folder.installs_to(os.environ, os.geteuid())
    return Environment(folder / "bin" / "python", folder, tuple(_pins()))


def _pins(only: str = "") -> list[str]:
    """The packages beside the interpreter with their versions, without those of the folder of plugins."""
    base = [entry for entry in sys.path if entry.startswith(sys.prefix)]
    found = distributions(path=base) if not only else distributions(name=only)
    return sorted({f"{one.metadata['Name']}=={one.version}" for one in found})


def prepare(environment: Environment) -> None:
    """Create or refresh the folder of plugins: a virtual environment (PEP 405) that sees the bundled packages. The
    bundled interpreter lies in another folder after an update, so the link is written each time.

    Raises:
        NotWritable: as it says.
    """
    if environment.folder is None:
        return
    try:
        environment.python.parent.mkdir(parents=True, exist_ok=True)
        for folder in (environment.folder, plugin_folder.packages_in(environment.folder)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)  # a umask may let the group write, and then nothing here would be loaded
        interpreter = Path(getattr(sys, "_base_executable", sys.executable))
        settings = f"home = {interpreter.parent}\ninclude-system-site-packages = true\n"
        (environment.folder / "pyvenv.cfg").write_text(settings, "utf-8")
        link = environment.python.with_name("python.new")
        link.unlink(missing_ok=True)
        link.symlink_to(interpreter)
        link.replace(environment.python)
    except OSError as wrong:
        raise NotWritable(f"{environment.folder}: {wrong.strerror or wrong}") from wrong
