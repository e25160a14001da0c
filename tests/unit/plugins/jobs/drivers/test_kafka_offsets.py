"""The account of the records of a partition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.jobs.drivers.kafka.offsets import LONGEST, Offsets, read_metadata, write_metadata


def test_the_lowest_open_offset_is_committed_and_the_done_ones_after_it_are_named() -> None:
    offsets = Offsets(10)
    assert all(offsets.receive(offset) for offset in range(10, 20))
    for offset in (10, 12, 13, 17):
        offsets.finish(offset)
    assert offsets.commit() == (11, "rr:12-13,17;")
    assert offsets.finished_ahead() == 3
    for offset in (11, 14, 15, 16):
        offsets.finish(offset)
    assert offsets.commit() == (18, "")


def test_the_next_consumer_skips_what_is_done() -> None:
    offsets = Offsets(11, read_metadata("rr:12-13,17;"))
    assert [offset for offset in range(11, 15) if offsets.receive(offset)] == [11, 14]
    assert offsets.commit() == (11, "rr:12-13,17;")  # 17 has not arrived again
    offsets.finish(11)
    assert offsets.commit() == (14, "rr:17;")


def test_gaps_and_repetitions() -> None:
    offsets = Offsets(5)
    assert offsets.receive(7)  # 5 and 6 do not exist
    assert not offsets.receive(7)
    assert offsets.commit() == (7, "")
    offsets.finish(7)
    assert offsets.commit() == (8, "")


@given(st.lists(st.booleans(), max_size=300), st.randoms())
def test_nothing_is_lost_and_nothing_done_runs_again(done: list[bool], chance: random.Random) -> None:
    """For any set of done jobs and any order of their ends."""
    offsets = Offsets(0)
    for offset in range(len(done)):
        offsets.receive(offset)
    finished = [offset for offset, is_done in enumerate(done) if is_done]
    chance.shuffle(finished)
    for offset in finished:
        offsets.finish(offset)
        if chance.random() < 0.2:
            offsets.commit()
    position, metadata = offsets.commit()
    following = Offsets(position, read_metadata(metadata))
    again = {offset for offset in range(position, len(done)) if following.receive(offset)}
    assert again == {offset for offset, is_done in enumerate(done) if not is_done}


def test_metadata_have_a_limit() -> None:
    text = write_metadata([(offset, offset) for offset in range(10**12, 10**12 + 2000, 2)])
    assert LONGEST - 20 < len(text) <= LONGEST
    assert read_metadata(text)[0] == (10**12, 10**12)


@pytest.mark.parametrize("text", [None, "", "member-1", "rr:", "rr:;", "rr:1", "rr:1,x;", "rr:1-;"])
def test_metadata_of_others(text: str | None) -> None:
    assert read_metadata(text) == []


def test_what_the_library_has_behind_the_metadata_is_ignored() -> None:
    assert read_metadata("rr:1-2,4;7,9") == [(1, 2), (4, 4)]
