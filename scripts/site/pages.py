"""Collect the pages of the site in a folder: those of docs/, and the generated ones.

    python -m scripts.site.pages FOLDER

The builder of the site gets plain Markdown, and can be replaced. Links to files of the project that are no pages lead
to its repository.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.site.reference import commands_page, config_index, decisions_page, section_page

from pyroadrunner.cli.command_table import COMMANDS, GROUPS, SHARED

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/pyroadrunner/pyroadrunner"
_MOVED = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "docs/design": "design/index.md"}
_MANUALS = {"app": "logs.md", "endure": "operations.md", "centrifuge": "centrifugo.md", "nsq": "jobs.md"}
_LINK = re.compile(r"(\]\()([^)\s#:]+)((?:#[^)\s]*)?\))")


def sources() -> Iterator[tuple[str, str]]:
    """Path in the project, and text of each page that exists."""
    for name in ("README.md", "CHANGELOG.md"):
        yield name, (ROOT / name).read_text(encoding="utf-8")
    for file in sorted(DOCS.rglob("*.md")):
        yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def generated() -> Iterator[tuple[str, str]]:
    """Path in the site, and text of each other page."""
    schema: dict[str, Any] = json.loads((ROOT / "src/pyroadrunner/config/schema.json").read_text(encoding="utf-8"))
    sections = sorted(schema["properties"])
    yield "reference/config/index.md", config_index(sections)
    for name in sections:
        yield f"reference/config/{name}.md", section_page(name, schema["properties"][name], _manual(name))
    yield "reference/commands.md", commands_page(COMMANDS, GROUPS, SHARED)
    titles = {file.name: _title(file) for file in (DOCS / "design").glob("*.md")}
    yield "design/index.md", decisions_page(titles)


def _manual(section: str) -> str:
    known = (_MANUALS.get(section, ""), f"{section}.md", f"jobs-{section.replace('_', '-')}.md")
    return next((name for name in known if name and (DOCS / name).is_file()), "")


def _title(file: Path) -> str:
    return file.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def linked(text: str, source: str) -> str:
    """The text with links that work in the site.

    Args:
        source: path of the page in the project.
    """
    here = PurePosixPath(site_path(source)).parent

    def place(found: re.Match[str]) -> str:
        path = os.path.normpath(PurePosixPath(source).parent / found[2])
        if path.startswith("docs/") or path in _MOVED:
            return f"{found[1]}{os.path.relpath(site_path(path), here)}{found[3]}"
        if not (ROOT / path).exists():
            return found[0]  # the builder reports it
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{found[1]}{REPOSITORY}/{kind}/main/{path}{found[3]}"

    return _LINK.sub(place, text)


def site_path(path: str) -> str:
    """Where a file of the project lies in the site."""
    return _MOVED.get(path, path.removeprefix("docs/"))


def main(folder: Path) -> None:
    """Write all pages."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder, ignore=shutil.ignore_patterns("*.md"))
    pages = dict(generated())
    pages |= {site_path(source): linked(text, source) for source, text in sources()}
    for name, text in pages.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
