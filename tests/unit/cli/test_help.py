"""Headings of the help on a terminal."""

from __future__ import annotations

import re

from pyroadrunner.cli.help import help_text


def test_headings_are_coloured_only_on_request() -> None:
    plain, coloured = help_text(["workers"]), help_text(["workers"], coloured=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain
    assert "\x1b[1;32mUsage:\x1b[0m\n" in coloured
    assert "\x1b[1;32mFlags of every command:\x1b[0m\n" in coloured
