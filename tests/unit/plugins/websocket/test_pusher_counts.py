"""When subscribers are told their number, and how long departures are held."""

from __future__ import annotations

from pyroadrunner.plugins.websocket.pusher.channels import Channel
from pyroadrunner.plugins.websocket.pusher.counts import SubscriptionCounts
from pyroadrunner.plugins.websocket.pusher.held import Departure, HeldDepartures


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_change_of_a_small_channel_is_told_at_once() -> None:
    clock = Clock()
    counts = SubscriptionCounts(clock)
    assert counts.changed("a", 1)
    assert counts.changed("a", 2)
    assert counts.due() == []
    clock.now += 1
    assert counts.due() == ["a"]
    assert not counts.looked("a", 2)
    assert counts.due() == []


def test_a_number_that_another_server_has_changed_meanwhile_is_told_later() -> None:
    clock = Clock()
    counts = SubscriptionCounts(clock)
    assert counts.changed("a", 2)
    clock.now += 1
    assert counts.due() == ["a"]
    assert counts.looked("a", 3)


def test_the_number_of_a_large_channel_is_told_every_five_seconds() -> None:
    clock = Clock()
    counts = SubscriptionCounts(clock)
    for count in range(101, 200):
        assert not counts.changed("a", count)
        clock.now += 0.04
    assert counts.due() == []
    clock.now = 105.0
    assert counts.due() == ["a"]
    assert counts.looked("a", 199)
    clock.now += 60
    assert counts.due() == []
    assert not counts.changed("a", 200)
    clock.now += 5
    assert counts.due() == ["a"]


def test_departures_are_held_for_three_seconds() -> None:
    clock = Clock()
    held = HeldDepartures(clock)
    one, two = Departure(Channel("presence-a"), "ann"), Departure(Channel("presence-a"))
    held.add(one)
    clock.now += 1
    held.add(two)
    clock.now += 1.9
    assert held.due() == []
    clock.now += 0.2
    assert held.due() == [one]
    assert held.all() == [two]
    assert held.due() == []
