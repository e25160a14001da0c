"""Labels of the metrics: applications and classes of topics, never names that clients choose."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.websocket.config import TopicConfig
from pyroadrunner.plugins.websocket.counters import TopicCounters
from pyroadrunner.plugins.websocket.pusher.app import class_of
from pyroadrunner.plugins.websocket.topics import Topics


@pytest.mark.parametrize(
    ("topic", "label"),
    [
        ("pusher/3/events/news", ("3", "public")),
        ("pusher/3/events/private-a", ("3", "private")),
        ("pusher/3/events/presence-a/b", ("3", "presence")),
        ("pusher/3/events/private-encrypted-a", ("3", "private-encrypted")),
        ("pusher/3/cached/cache-a", ("3", "public-cache")),
        ("pusher/3/cached/private-cache-a", ("3", "private-cache")),
        ("pusher/3/events/#server-to-user-1", ("3", "user")),
        ("pusher/3/users/1", ("3", "user")),
        ("room.1", None),
    ],
)
def test_the_class_of_a_channel_is_its_kind(topic: str, label: tuple[str, str] | None) -> None:
    assert class_of(topic) == label


def test_the_class_of_a_topic_is_the_entry_that_matches() -> None:
    topics = Topics([TopicConfig(match=["room.*", "hall"])])
    assert [topics.name_of(name) for name in ("room.1", "hall", "news")] == ["room.*", "room.*", "other"]


def test_counts_stay_when_the_classes_change() -> None:
    names = {"room.1": "room.*"}
    counters = TopicCounters(lambda topic: ("", names.get(topic, "other")))
    counters.count_published("room.1")
    counters.count_delivered("room.1", 3)
    names.clear()
    counters.forget()
    counters.count_published("room.1")
    assert counters.published == {("", "room.*"): 1, ("", "other"): 1}
    assert counters.delivered == {("", "room.*"): 3}
