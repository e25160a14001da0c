"""The plugins and who needs whom, for ``endure.print_graph``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def graphviz(needs: Mapping[str, Sequence[str]]) -> str:
    """A Graphviz document; an arrow points from a plugin to one it needs."""
    lines = ["digraph endure {", "    rankdir=TB;"]
    lines += [f'    "{name}";' for name in needs]
    lines += [f'    "{name}" -> "{other}";' for name, others in needs.items() for other in others]
    return "\n".join([*lines, "}"])
