"""The files of a project, as far as ``rr init`` looks at them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from shutil import which
from typing import Any

_MOST = 256 * 1024  # bytes of a file that are read
_INSTALLED_MOST = 16 * 1024 * 1024  # Composer's list of all packages


class Folder:
    """A folder with the source of an application. Reads lazily; unreadable files count as empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Folder({self.path})"

    def has(self, name: str) -> bool:
        """Whether there is a file of this name (relative, with ``/``)."""
        return (self.path / name).is_file()

    def has_folder(self, name: str) -> bool:
        return (self.path / name).is_dir()

    def text(self, name: str, most: int = _MOST) -> str:
        """The text of a file, at most ``most`` bytes of it."""
        try:
            with open(self.path / name, "rb", opener=_without_waiting) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return ""
                return file.read(most).decode("utf-8", "replace")
        except OSError:
            return ""

    def files(self, *suffixes: str) -> list[str]:
        """Names of the files directly in the folder with these endings, sorted."""
        try:
            with os.scandir(self.path) as entries:
                return sorted(entry.name for entry in entries if entry.name.endswith(suffixes) and entry.is_file())
        except OSError:
            return []

    def python(self, own: str) -> str:
        """The interpreter for a worker in this folder.

        Args:
            own: path of the interpreter that runs ``rr``, and so has this package.

        Returns:
            That of a virtual environment in the folder; ``python3`` if that is our own; otherwise our path.
        """
        if self.has(".venv/bin/python"):
            return ".venv/bin/python"
        found = which("python3")
        return "python3" if found and os.path.dirname(found) == os.path.dirname(own) else own

    def folders(self) -> list[str]:
        """Names of the folders directly in the folder, sorted; without hidden ones."""
        try:
            with os.scandir(self.path) as entries:
                return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
        except OSError:
            return []

    @cached_property
    def is_empty(self) -> bool:
        """Whether it has nothing but hidden files."""
        try:
            return all(name.startswith(".") for name in os.listdir(self.path))
        except OSError:
            return True

    @cached_property
    def required(self) -> Mapping[str, str]:
        """Packages that ``composer.json`` requires, by name: their versions as written."""
        return _strings(_json(self.text("composer.json")).get("require"))

    @cached_property
    def unreadable_composer(self) -> str:
        """Why ``composer.json`` can't be read, in words; empty if it can, or if there is none."""
        if not os.path.lexists(self.path / "composer.json"):
            return ""
        text = self.text("composer.json", _MOST + 1)
        if len(text) > _MOST:
            return "is larger than 256 KB"
        try:
            data = json.loads(text)
        except RecursionError:
            return "is nested too deep"
        except json.JSONDecodeError as wrong:
            return f"is not valid JSON (line {wrong.lineno}: {wrong.msg})" if text else "is empty or can't be read"
        except ValueError as wrong:
            return f"is not valid JSON ({wrong})"
        return "" if isinstance(data, dict) else "is not a JSON object"

    @cached_property
    def installed(self) -> Mapping[str, str]:
        """Packages that Composer has installed, by name: their versions."""
        data = _json(self.text("vendor/composer/installed.json", _INSTALLED_MOST))
        listed = data.get("packages")
        packages = listed if isinstance(listed, list) else []
        return {
            str(one["name"]): str(one.get("version", ""))
            for one in packages
            if isinstance(one, dict) and isinstance(one.get("name"), str)
        }

    def has_package(self, name: str) -> bool:
        """Whether Composer has installed a package."""
        return name in self.installed or self.has_folder(f"vendor/{name}")

    def version(self, package: str) -> str:
        """The major version of an installed or required package; empty if it is unclear."""
        text = self.installed.get(package) or self.required.get(package, "")
        number = text.lstrip("^~>=v ").partition(".")[0]
        return number if number.isdecimal() else ""


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; opening a named pipe would otherwise wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _json(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _strings(data: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in data.items()} if isinstance(data, dict) else {}
