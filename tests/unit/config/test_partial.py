"""A model with optional keys, applied to a whole one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from pyroadrunner.config.jsonschema import json_schema
from pyroadrunner.config.partial import Partial


class Inner(msgspec.Struct, kw_only=True, frozen=True):
    ttl: float = 0.0
    size: int = 7


class Whole(msgspec.Struct, kw_only=True, frozen=True):
    count: int = 4
    """How many."""
    debug: bool = False
    inner: Inner | None = None

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.count == 13:
            yield "count", "is unlucky"


class InnerPart(Partial, kw_only=True, frozen=True):
    whole: ClassVar[type[msgspec.Struct]] = Inner

    ttl: float | None = None
    size: int | None = None


class Part(Partial, kw_only=True, frozen=True):
    whole: ClassVar[type[msgspec.Struct]] = Whole

    count: int | None = None
    debug: bool | None = None
    inner: InnerPart | None = None


def test_unset_keys_are_taken_from_the_whole_model() -> None:
    base = Whole(count=2, debug=True, inner=Inner(ttl=1.0, size=9))
    assert Part().over(base) == base
    assert Part(count=0, debug=False).over(base) == Whole(count=0, debug=False, inner=base.inner)
    assert Part(inner=InnerPart(ttl=5.0)).over(base).inner == Inner(ttl=5.0, size=9)


def test_a_struct_that_is_absent_in_the_whole_model_gets_its_defaults() -> None:
    assert Part(inner=InnerPart(ttl=5.0)).over(Whole()).inner == Inner(ttl=5.0, size=7)


def test_errors_are_those_of_the_whole_model() -> None:
    assert list(Part(count=13).faults()) == [("count", "is unlucky")]
    assert list(Part(debug=True).faults()) == []
    assert list(InnerPart(ttl=1.0).faults()) == []


def test_the_schema_has_the_descriptions_of_the_whole_model_and_no_defaults() -> None:
    schema = json_schema({"part": Part})["properties"]["part"]["properties"]["count"]
    assert schema["description"] == "How many."
    assert "default" not in schema
