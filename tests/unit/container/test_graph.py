"""`endure.print_graph`."""

from __future__ import annotations

from pyroadrunner.container.graph import graphviz


def test_an_arrow_points_to_what_is_needed() -> None:
    assert graphviz({"server": [], "http": ["server"]}) == (
        'digraph endure {\n    rankdir=TB;\n    "server";\n    "http";\n    "http" -> "server";\n}'
    )
