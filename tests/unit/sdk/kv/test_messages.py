"""Lifetimes become timestamps, replies become values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pyroadrunner.proto.kv.v1.kv_pb2 import CountRequest, Item, Request, Response
from pyroadrunner.sdk.kv import messages

NOW = 1_704_164_645.5


@pytest.mark.parametrize(
    ("ttl", "text"),
    [
        (None, ""),
        (1, "2024-01-02T03:04:06.500+00:00"),
        (0.25, "2024-01-02T03:04:05.750+00:00"),
        (timedelta(minutes=1), "2024-01-02T03:05:05.500+00:00"),
        (-1, "2024-01-02T03:04:04.500+00:00"),
    ],
)
def test_a_lifetime_is_sent_as_its_end(ttl: messages.Lifetime, text: str) -> None:
    assert messages.moment(ttl, NOW) == text


@pytest.mark.parametrize(
    ("ttl", "over"), [(None, False), (0.001, False), (0, True), (-1, True), (timedelta(0), True), (timedelta(1), False)]
)
def test_a_lifetime_of_zero_or_less_is_over(ttl: messages.Lifetime, over: bool) -> None:
    assert messages.over(ttl) is over


def test_requests_have_keys_values_and_times() -> None:
    assert messages.keys("s", ["a", "b"]) == Request(storage="s", items=[Item(key="a"), Item(key="b")])
    timeout = "2024-01-02T03:04:06.500+00:00"
    assert messages.values("s", {"a": b"\xff", "b": "ж"}, 1, NOW) == Request(
        storage="s",
        items=[Item(key="a", value=b"\xff", timeout=timeout), Item(key="b", value="ж".encode(), timeout=timeout)],
    )
    assert messages.times("s", ["a"], 1, NOW) == Request(storage="s", items=[Item(key="a", timeout=timeout)])
    assert messages.count("s", "a", 0, None, NOW) == CountRequest(storage="s", key="a", by=0)
    assert messages.count("s", "a", 0, None, NOW).HasField("by")


def test_replies_are_decoded() -> None:
    answer = Response(items=[Item(key="a", value=b"1"), Item(key="b")])
    assert messages.names_of(answer) == {"a", "b"}
    assert messages.values_of(answer) == {"a": b"1", "b": b""}
    moment = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert messages.expiry_of(Response(items=[Item(timeout="2024-01-02T03:04:05+00:00")])) == moment
    assert messages.expiry_of(answer) is None
    assert messages.expiry_of(Response()) is None
