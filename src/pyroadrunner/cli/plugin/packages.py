"""Installed packages that extend the server, found by their entry points."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

_OURS = "pyroadrunner"
_KINDS = {  # groups of entry points, in words
    "pyroadrunner.plugins": "section",
    "pyroadrunner.plugins.always": "plugin",
    "pyroadrunner.jobs_drivers": "driver of jobs",
    "pyroadrunner.grpc_interceptors": "interceptor of gRPC",
}


@dataclass(frozen=True, kw_only=True)
class Package:
    """One installed package.

    Attributes:
        adds: what it adds to the server, as kind and name: ``("section", "spool")``. Empty = it is only a library.
    """

    name: str
    version: str
    adds: tuple[tuple[str, str], ...]


def installed_in(folder: Path | None) -> list[Package]:
    """The packages in a folder of plugins (``None`` = in this environment), by name. Ours is left out."""
    found = distributions() if folder is None else distributions(path=[str(folder)])
    return of_distributions(found)


def of_distributions(found: Iterable[Distribution]) -> list[Package]:
    """The same for given distributions; the first one of a name counts, as for imports."""
    packages: dict[str, Package] = {}
    for one in found:
        name = one.metadata["Name"]
        if name and normalized(name) != _OURS:
            adds = tuple(sorted((_KINDS[e.group], e.name) for e in one.entry_points if e.group in _KINDS))
            packages.setdefault(normalized(name), Package(name=name, version=one.version, adds=adds))
    return [packages[name] for name in sorted(packages)]


def normalized(name: str) -> str:
    """A package name in the form in which names are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    """The package that a requirement or a path of a wheel names: ``rr-hello`` of ``rr-hello[x]>=1``."""
    if requirement.endswith(".whl"):
        return normalized(requirement.rpartition("/")[2].partition("-")[0])
    match = re.match(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", requirement)
    return normalized(match[0]) if match else ""
