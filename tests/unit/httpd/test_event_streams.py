"""Which of several slow streams end."""

from __future__ import annotations

from pyroadrunner.httpd.event_streams import Connection, tick_all

ONE, OTHER = ("192.0.2.1", 1), ("192.0.2.1", 2)


class FakeStream:
    def __init__(self, connection: Connection, seconds: float) -> None:
        self.connection = connection
        self.seconds = seconds
        self.ticks = 0

    def blocked(self, now: float) -> float:
        return self.seconds

    def tick(self, now: float) -> None:
        self.ticks += 1


def test_of_each_connection_the_stream_that_was_not_read_for_the_longest_time_ends() -> None:
    streams = [FakeStream(ONE, 5.0), FakeStream(ONE, 7.0), FakeStream(ONE, 6.0), FakeStream(OTHER, 5.0)]
    tick_all(streams, 0.0)
    assert [one.ticks for one in streams] == [0, 1, 0, 1]


def test_streams_that_are_read_or_have_no_address_are_all_looked_after() -> None:
    streams = [FakeStream(ONE, 0.0), FakeStream(ONE, 0.0), FakeStream((), 5.0), FakeStream((), 6.0)]
    tick_all(streams, 0.0)
    assert [one.ticks for one in streams] == [1, 1, 1, 1]
