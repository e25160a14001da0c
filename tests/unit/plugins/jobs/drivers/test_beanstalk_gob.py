"""Go's gob encoding: what Go itself writes, byte for byte, and what can't be read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.jobs.drivers.beanstalk import gob
from pyroadrunner.plugins.jobs.drivers.beanstalk.gob import GobError, read_struct

# https://pkg.go.dev/encoding/gob, "Encoding Details": type P struct { X, Y int; Name string }, value {22, 33, "..."}.
_POINT = bytes.fromhex(
    "1fff8103010105506f696e7401ff8200010201015801040001015901040000 0007ff82012c0142 00".replace(" ", "")
)


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, "00"), (7, "07"), (127, "7f"), (128, "ff80"), (256, "fe0100"), (2**64 - 1, "f8ffffffffffffffff")],
)
def test_unsigned_integers(number: int, encoded: str) -> None:
    assert gob.uint(number).hex() == encoded


@pytest.mark.parametrize(("number", "encoded"), [(0, "00"), (7, "0e"), (-1, "01"), (-64, "7f"), (64, "ff80")])
def test_integers(number: int, encoded: str) -> None:
    assert gob.signed(number).hex() == encoded


def test_the_example_of_gobs_manual() -> None:
    definition = gob.struct_definition(65, "Point", {"X": gob.INT, "Y": gob.INT})
    assert definition + gob.message(65, gob.fields([gob.signed(22), gob.signed(33)])) == _POINT
    assert read_struct(_POINT) == {"X": 22, "Y": 33}


def test_definitions_in_any_order_and_with_any_id() -> None:
    inner = gob.struct_definition(70, "Inner", {"N": gob.INT})
    outer = gob.struct_definition(66, "Outer", {"In": 70, "Flag": gob.BOOL})
    value = gob.message(66, gob.fields([gob.fields([gob.signed(-5)]), b"\x01"]))
    assert read_struct(inner + outer + value) == read_struct(outer + inner + value) == {"In": {"N": -5}, "Flag": True}


def test_streams_of_many_programs_in_turn() -> None:
    """Some definitions are remembered; that changes no result, even if one program's begin like another's."""
    inner = gob.struct_definition(70, "Inner", {"N": gob.INT})
    streams = [(inner + gob.message(70, gob.fields([gob.signed(1)])), {"N": 1})]
    for number in range(6):
        outer = gob.struct_definition(66, f"Outer{number}", {f"In{number}": 70})
        value = gob.message(66, gob.fields([gob.fields([gob.signed(number + 1)])]))
        streams.append((inner + outer + value, {f"In{number}": {"N": number + 1}}))
    for _ in range(2):
        for stream, value_read in streams:
            assert read_struct(stream) == value_read


def test_lists_and_maps_and_types_that_encode_themselves() -> None:
    """As written by Go for a struct with []string, map[string]int, [2]float64 and time.Time."""
    common = gob.fields([None, gob.signed(70)])
    ids = {
        70: gob.fields([None, gob.fields([common, gob.signed(gob.STRING)])]),
        71: gob.fields([None, None, None, gob.fields([common, gob.signed(gob.STRING), gob.signed(gob.INT)])]),
        72: gob.fields([gob.fields([common, gob.signed(gob.FLOAT), gob.signed(2)])]),
        73: gob.fields([None] * 4 + [gob.fields([common])]),
    }
    definitions = b"".join(gob.message(-number, content) for number, content in ids.items())
    struct = gob.struct_definition(66, "S", {"List": 70, "Map": 71, "Array": 72, "Time": 73})
    half = gob.uint(int.from_bytes(bytes.fromhex("3fe0000000000000")[::-1], "big"))
    value = gob.fields(
        [
            gob.uint(2) + gob.text(b"a") + gob.text(b"b"),
            gob.uint(1) + gob.text(b"k") + gob.signed(3),
            gob.uint(2) + half + b"\x00",
            gob.text(b"\x01\x02"),
        ]
    )
    assert read_struct(struct + definitions + gob.message(66, value)) == {
        "List": ["a", "b"],
        "Map": [("k", 3)],
        "Array": [0.5, 0.0],
        "Time": b"\x01\x02",
    }


@pytest.mark.parametrize("length", range(len(_POINT)))
def test_a_stream_that_is_cut_off(length: int) -> None:
    with pytest.raises(GobError):
        read_struct(_POINT[:length])


def test_a_value_that_is_nested_too_deeply() -> None:
    definition = gob.struct_definition(65, "L", {"Next": 65})
    with pytest.raises(GobError, match="too deeply"):
        read_struct(definition + gob.message(65, b"\x01" * 100_000))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for stream in (data, _POINT[:32] + data):
        try:
            found: Any = read_struct(stream)
        except GobError:
            continue
        assert isinstance(found, dict)
