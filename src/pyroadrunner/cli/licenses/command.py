"""``rr licenses``."""

from __future__ import annotations

import json
from pathlib import Path

from pyroadrunner.cli.console import say
from pyroadrunner.cli.licenses.components import Component, of_bundle, of_environment
from pyroadrunner.cli.workers.box_drawing import Cell, draw
from pyroadrunner.installation import bundle_folder

_WIDTH = 60  # of a licence in the table


def run(*, full: bool, as_json: bool) -> int:
    """Print the components with their licences; ``full``: the texts too."""
    bundle = bundle_folder()
    components = of_bundle(Path(bundle)) if bundle else of_environment()
    rows = [(one.name, one.version, one.license) for one in components]
    if as_json:
        facts = [dict(zip(("name", "version", "license"), row, strict=True)) for row in rows]
        say(json.dumps(facts, indent=2, ensure_ascii=False))
    elif full:
        say("\n\n".join(map(_full, components)))
    else:
        cells = [[Cell(name), Cell(version), Cell(words[:_WIDTH] or "see its text")] for name, version, words in rows]
        say(draw(["COMPONENT", "VERSION", "LICENSE"], cells, coloured=False))
    return 0


def _full(component: Component) -> str:
    head = f"{component.name} {component.version}: {component.license or 'see the text'}"
    return "\n\n".join([f"{head}\n{'=' * len(head)}", *(text.strip() for text in component.texts)])
