"""The four words of a reply."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.tcp.verbs import CLOSE, VERBS


@pytest.mark.parametrize(
    ("word", "writes", "closes"),
    [
        (b"WRITE", True, False),
        (b"CONTINUE", False, False),
        (b"WRITECLOSE", True, True),
        (b"CLOSE", False, True),
        (b"", False, True),
        (b"write", False, True),
        (b'"WRITE"', False, True),
        (b"WRITE ", False, True),
        (b"\xff", False, True),
    ],
)
def test_each_word_and_all_others(word: bytes, writes: bool, closes: bool) -> None:
    assert VERBS.get(word, CLOSE) == (writes, closes)
