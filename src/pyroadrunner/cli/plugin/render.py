"""The output of ``rr plugin``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pyroadrunner.cli.plugin.packages import Package
from pyroadrunner.cli.workers.box_drawing import Cell, draw


def as_json(packages: Sequence[Package]) -> str:
    rows = [
        {"name": one.name, "version": one.version, "adds": [{"kind": k, "name": n} for k, n in one.adds]}
        for one in packages
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def table(packages: Sequence[Package]) -> str:
    """One line for each package."""
    if not packages:
        return "no plugins are installed; rr plugin install NAME installs one"
    rows = [[Cell(one.name), Cell(one.version), Cell(adds(one))] for one in packages]
    return draw(["PACKAGE", "VERSION", "ADDS"], rows, coloured=False)


def adds(package: Package) -> str:
    """``section spool, driver of jobs lake``; for a library, that it adds nothing."""
    return ", ".join(f"{kind} {name}" for kind, name in package.adds) or "nothing: a library"


def installed(package: Package) -> str:
    """The line after an installation: what it has brought, and what to do next."""
    text = f"{package.name} {package.version} is installed"
    if not package.adds:
        return f"{text}; it has no plugin for the server, but custom middleware can import it"
    sections = [name for kind, name in package.adds if kind == "section"]
    if sections:
        return f"{text}: add the section {' and '.join(sections)} to .rr.yaml, then start the server again"
    return f"{text}: {adds(package)}; start the server again to use it"
