"""What this installation consists of, with licences: the Python packages that pyroadrunner needs, and in a bundle all
packages and the C libraries in its interpreter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Component:
    """A part with a licence of its own.

    Attributes:
        license: an SPDX expression, or what the package says; empty = it says nothing.
        texts: the files of its licence.
    """

    name: str
    version: str
    license: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Need:
    name: str
    extras: frozenset[str] = frozenset()
    every_extra: bool = False


def of_bundle(folder: Path) -> list[Component]:
    """All components of a bundle.

    Args:
        folder: ``installation.bundle_folder()``.
    """
    listed = json.loads((folder / "components.json").read_text("utf-8"))
    native = [
        Component(
            name=one["name"],
            version=one["version"],
            license=one["license"],
            texts=tuple((folder / "licenses" / name).read_text("utf-8", "replace") for name in one["texts"]),
        )
        for one in listed
    ]
    return _sorted([*native, *map(_component, distributions())])


def of_environment(root: str = "pyroadrunner") -> list[Component]:
    """A package, and all installed packages that it needs, itself with all of its extras."""
    found: dict[str, Distribution] = {}
    waiting = [_Need(root, every_extra=True)]
    seen = set(waiting)
    while waiting:
        need = waiting.pop()
        try:
            package = found.setdefault(need.name, distribution(need.name))
        except PackageNotFoundError:  # of an extra, or of another platform
            continue
        new = set(_needs(package, need)) - seen
        seen |= new
        waiting += new
    return _sorted([_component(one) for one in found.values()])


def _sorted(components: list[Component]) -> list[Component]:
    by_name = {component.name.lower(): component for component in reversed(components)}
    return [by_name[name] for name in sorted(by_name)]


def _component(package: Distribution) -> Component:
    return Component(
        name=package.metadata["Name"],
        version=package.version,
        license=license_of(package),
        texts=tuple(_texts(package)),
    )


def license_of(package: Distribution) -> str:
    """The licence of a package: by PEP 639, else the classifiers, else the first line of the old field."""
    metadata = package.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = metadata.get_all("Classifier") or []
    names = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: OSI Approved :: ")]
    old = metadata["License"] if "License" in metadata else ""  # noqa: SIM401 - it has no get() in Python 3.11
    return " or ".join(names) or old.partition("\n")[0]


def _texts(package: Distribution) -> Iterator[str]:
    for file in package.files or ():
        inside = file.parts[0].endswith(".dist-info")
        if inside and re.match(r"(licen[sc]e|copying|notice|authors)", file.name, re.IGNORECASE):
            text = package.read_text("/".join(file.parts[1:]))
            if text:
                yield text


def _needs(package: Distribution, wanted: _Need) -> Iterator[_Need]:
    """What a package needs, with the wanted extras (the form is that of PEP 508)."""
    for requirement in package.requires or ():
        match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?", requirement)
        only_with = re.search(r"extra\s*==\s*[\"']([^\"']+)", requirement)
        if match and (only_with is None or wanted.every_extra or _normalized(only_with[1]) in wanted.extras):
            extras = frozenset(_normalized(extra.strip()) for extra in (match[2] or "").split(",") if extra.strip())
            yield _Need(_normalized(match[1]), extras)


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
