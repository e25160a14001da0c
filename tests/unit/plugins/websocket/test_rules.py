"""Origins, topics, turns and rates."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.websocket.config import HistoryConfig, TopicConfig
from pyroadrunner.plugins.websocket.origins import Origins
from pyroadrunner.plugins.websocket.rate import Rate
from pyroadrunner.plugins.websocket.topics import Topics
from pyroadrunner.plugins.websocket.turns import Turns


@pytest.mark.parametrize(
    ("allowed", "origin", "host", "secure", "allow"),
    [
        ([], None, b"a.test", False, True),
        ([], b"http://a.test", b"a.test", False, True),
        ([], b"http://a.test", b"a.test:80", False, True),
        ([], b"https://A.test", b"a.test", True, True),
        ([], b"https://a.test", b"a.test", False, False),
        ([], b"http://a.test:8080", b"a.test", False, False),
        ([], b"null", b"a.test", False, False),
        ([], b"http://[::1", b"a.test", False, False),
        (["*"], b"null", b"a.test", False, True),
        (["https://b.test"], b"https://b.test", b"a.test", False, True),
        (["https://b.test"], b"http://b.test", b"a.test", False, False),
        (["https://b.test"], b"https://b.test.evil", b"a.test", False, False),
        (["https://*.b.test"], b"https://x.b.test", b"a.test", False, True),
        (["https://*.b.test"], b"https://b.test", b"a.test", False, False),
        (["https://b.test"], b"http://a.test", b"a.test", False, False),
    ],
)
def test_pages_of_other_origins_are_refused(
    allowed: list[str], origin: bytes | None, host: bytes, secure: bool, allow: bool
) -> None:
    headers = {b"host": host} if origin is None else {b"host": host, b"origin": origin}
    assert Origins(allowed).allow(headers, secure) is allow


def test_the_first_entry_that_matches_a_topic_counts() -> None:
    chat, rest = (
        TopicConfig(match=["chat.*", "x"], history=HistoryConfig(size=3)),
        TopicConfig(match=["*"], public=True),
    )
    topics = Topics([chat, rest])
    assert [topics.of(name) for name in ("chat.1", "x", "xy", "chat", "chat.a\nb")] == [chat, chat, rest, rest, chat]
    assert Topics([]).of("chat.1").history.size == 0


class User:
    """Takes turns when asked to."""

    def __init__(self, turns: Turns, order: list[str], name: str) -> None:
        self.turns, self.order, self.name = turns, order, name

    def begin(self) -> None:
        self.order.append(self.name)


def test_turns_go_in_order_and_no_more_at_a_time_than_allowed() -> None:
    turns, order = Turns(2), list[str]()
    for name in "abcd":
        turns.request(User(turns, order, name).begin)
    assert (order, turns.waiting) == (["a", "b"], 2)
    turns.end()
    turns.end()
    assert (order, turns.waiting) == (["a", "b", "c", "d"], 0)
    ended: list[bool] = []
    turns.on_idle = lambda: ended.append(True)
    turns.end()
    assert not turns.idle
    turns.end()
    assert turns.idle
    assert ended == [True]


def test_a_client_may_burst_but_not_go_on() -> None:
    rate = Rate(10, now=0.0)
    assert all(rate.allows(0.0) for _ in range(20))
    assert not rate.allows(0.0)
    assert rate.allows(0.3)
    assert all(rate.allows(10.0 + number / 10) for number in range(100))
    assert all(Rate(0, now=0.0).allows(0.0) for _ in range(1000))
