"""The tables of ``rr websocket``."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.websocket import render

CONNECTION = {
    "id": "abc",
    "app": "",
    "user": "ann",
    "remote_addr": "192.0.2.1",
    "topics": ["room.1", "room.2"],
    "seconds": 61.0,
    "buffered": 0,
    "dropped": 3,
}


def test_connections_are_listed_with_what_an_operator_needs() -> None:
    text = render.connections([CONNECTION, {**CONNECTION, "id": "old", "seconds": 7200}])
    assert text.index("old") < text.index("abc")
    for part in ("ann", "192.0.2.1", "room.1, room.2", "1m 1s", "2h 0m", "OPEN FOR"):
        assert part in text
    assert render.connections([]) == "no connections"


def test_topics_with_most_followers_come_first() -> None:
    text = render.topics({"few": 1, "many": 20})
    assert text.index("many") < text.index("few")
    assert render.topics({}) == "no topics"


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"receivers": 1, "offset": 0}, "t: sent to 1 connection"),
        ({"receivers": 2, "offset": 7}, "t: sent to 2 connections (offset 7)"),
        ({"receivers": 0, "offset": 0}, "t: published, but no connection follows the topic"),
        ({"receivers": None, "offset": 3}, "t: published to all servers (offset 3)"),
    ],
)
def test_a_publication_is_told_in_words(result: dict[str, int | None], text: str) -> None:
    assert render.published({"t": result}) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0s"), (61, "1m 1s"), (3700, "1h 1m"), (200_000, "2d 7h")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert render.duration(seconds) == text
