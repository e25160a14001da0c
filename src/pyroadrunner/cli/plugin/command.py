"""``rr plugin``: one function per command. Each prints and returns the exit code."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.cli.console import complain, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.plugin import environment, pip, render
from pyroadrunner.cli.plugin.packages import name_of, normalized


def install(requirements: Sequence[str], *, source: str, upgrade: bool) -> int:
    """Install packages.

    Args:
        source: a folder with wheels in place of the package index; empty = the index.

    Raises:
        UsageError: no package was named.
        NotWritable, PipFailed: as they say.
    """
    if not requirements:
        raise UsageError("name a package: rr plugin install NAME...")
    here = environment.current()
    environment.prepare(here)
    pip.install(here, requirements, source=source, upgrade=upgrade)
    wanted = {name_of(one) for one in requirements}
    for package in here.packages():
        if normalized(package.name) in wanted:
            say(render.installed(package))
    return 0


def list_plugins(*, as_json: bool) -> int:
    """List the installed packages that extend the server."""
    plugins = [package for package in environment.current().packages() if package.adds]
    say(render.as_json(plugins) if as_json else render.table(plugins))
    return 0


def remove(names: Sequence[str]) -> int:
    """Remove packages. Returns 1, and removes nothing, if one of them is not installed as a plugin.

    Raises:
        UsageError: no package was named.
        NotWritable, PipFailed: as they say.
    """
    if not names:
        raise UsageError("name a package: rr plugin remove NAME...; rr plugin list shows them")
    here = environment.current()
    # A folder of plugins has only what rr plugin has put there; an environment has the packages of others as well.
    removable = {normalized(one.name) for one in here.packages() if one.adds or here.folder is not None}
    missing = [name for name in names if normalized(name) not in removable]
    for name in missing:
        complain(f"no such plugin is installed: {name}")
    if missing:
        return 1
    environment.prepare(here)
    pip.uninstall(here, names)
    for name in names:
        say(f"{name} is removed; a running server keeps it until it is started again")
    return 0
