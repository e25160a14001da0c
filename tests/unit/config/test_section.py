"""A section is converted to its model, and all its errors are found at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from pyroadrunner.config.origin import Origin
from pyroadrunner.config.section import SectionReader
from pyroadrunner.config.values import Command, Duration, StringList, StringMap, unbuilt


class Inner(msgspec.Struct, kw_only=True, frozen=True):
    ttl: Duration = 0.0
    memory: Annotated[int, Meta(ge=0)] = 0

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.memory == 13:
            yield "memory", "is unlucky"


class Model(msgspec.Struct, kw_only=True, frozen=True):
    command: Command = msgspec.field(default_factory=list)
    workers: Annotated[int, Meta(le=500, description="x")] = 1
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    address: Annotated[str, Meta(pattern=":")] = ":80"
    debug: bool = False
    tags: StringList = msgspec.field(default_factory=list)
    env: StringMap = msgspec.field(default_factory=dict)
    codec: Literal["json", "protobuf"] = "json"
    inner: Inner | None = None
    wait: Annotated[Duration, Meta(ge=1)] | None = None
    free: dict[str, Any] = msgspec.field(default_factory=dict)
    pools: dict[str, Inner] = msgspec.field(default_factory=dict)
    routes: list[Inner] = msgspec.field(default_factory=list)
    either: bool | Inner = False
    renamed: int = msgspec.field(default=0, name="number")
    ssl: Annotated[dict[str, Any] | None, unbuilt("TLS; connections are plain")] = None

    def faults(self) -> Iterable[tuple[str, str]]:
        for number, one in enumerate(self.routes):
            if one.memory == 17:
                yield f"routes.{number}.memory", "is odd"

    def warnings(self) -> Iterable[tuple[str, str]]:
        if self.debug:
            yield "debug", "is slow"
        if self.workers == 7:
            yield "", "all in all odd"


class Needy(msgspec.Struct, kw_only=True):
    command: Command
    inner: Inner


class Strict(msgspec.Struct, kw_only=True):
    number: int = 0

    def __post_init__(self) -> None:
        if self.number == 3:
            raise ValueError("three is refused")


def reader() -> SectionReader:
    return SectionReader(lambda path: Origin(kind="file", source=".rr.yaml", line=len(path)))


def faults(data: object, model: type[msgspec.Struct] = Model) -> list[str]:
    one = reader()
    assert (one.read(model, data, ("http",)) is None) == bool(one.faults)
    return [f"{fault.path}: {fault.message}" for fault in one.faults]


def warnings(data: object) -> list[str]:
    one = reader()
    assert one.read(Model, data, ("http",)) is not None
    return [f"{warning.kind}: {warning.path}: {warning.message} {warning.hint}".strip() for warning in one.warnings]


@pytest.mark.parametrize(
    ("data", "field", "value"),
    [
        ({}, "workers", 1),
        ({"workers": "0x10"}, "workers", 16),
        ({"workers": None}, "workers", 1),
        ({"share": "0.25"}, "share", 0.25),
        ({"debug": "t"}, "debug", True),
        ({"tags": "a, b"}, "tags", ["a", "b"]),
        ({"env": [{"a": 1}, {"b": True}]}, "env", {"a": "1", "b": "1"}),
        ({"command": "php,worker.php"}, "command", ["php", "worker.php"]),
        ({"codec": "Protobuf"}, "codec", "protobuf"),
        ({"inner": {"ttl": "1m"}}, "inner", Inner(ttl=60.0)),
        ({"inner": [{"ttl": "1m"}, {"memory": 5}]}, "inner", Inner(ttl=60.0, memory=5)),
        ({"inner": None}, "inner", None),
        ({"wait": "2s"}, "wait", 2.0),
        ({"free": {"any": [1, {"x": None}]}}, "free", {"any": [1, {"x": None}]}),
        ({"pools": {"slow": {"memory": 1}}}, "pools", {"slow": Inner(memory=1)}),
        ({"routes": [{"memory": 1}]}, "routes", [Inner(memory=1)]),
        ({"routes": {"memory": 1}}, "routes", [Inner(memory=1)]),
        ({"either": "true"}, "either", True),
        ({"either": {"memory": 1}}, "either", Inner(memory=1)),
        ({"number": 4}, "renamed", 4),
    ],
)
def test_a_section_is_read(data: object, field: str, value: Any) -> None:
    made = reader().read(Model, data, ("http",))
    assert getattr(made, field) == value


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (5, "http: is 5"),
        ({"workers": "many"}, 'http.workers: is "many"'),
        ({"workers": 501}, "http.workers: can't be more than 500"),
        ({"inner": {"memory": -1}}, "http.inner.memory: can't be less than 0"),
        ({"share": 1}, "http.share: can't be 1"),
        ({"share": 0}, "http.share: can't be 0"),
        ({"address": "80"}, 'http.address: "80" has the wrong form'),
        ({"wait": "1ms"}, "http.wait: can't be less than 1"),
        ({"debug": "yes"}, 'http.debug: is "yes"'),
        ({"codec": "jsn"}, 'http.codec: is "jsn"'),
        ({"inner": {"ttl": "60"}}, 'http.inner.ttl: "60" has no unit; write "60s" for seconds'),
        ({"inner": "x"}, 'http.inner: is "x"'),
        ({"pools": {"slow": {"ttl": "x"}}}, 'http.pools.slow.ttl: "x" is not a duration'),
        ({"routes": [{}, {"ttl": "x"}]}, 'http.routes[1].ttl: "x" is not a duration'),
        ({"tags": {"a": 1}}, "http.tags: is a map"),
        ({"either": "maybe"}, 'http.either: is "maybe"'),
        ({"inner": {"memory": 13}}, "http.inner.memory: is unlucky"),
        ({"routes": [{}, {"memory": 17}]}, "http.routes[1].memory: is odd"),
    ],
)
def test_an_error_names_the_key_and_the_reason(data: object, fault: str) -> None:
    assert faults(data) == [fault]


def test_all_errors_are_found() -> None:
    data = {"workers": "x", "debug": "y", "inner": {"ttl": "z", "memory": "m"}, "tags": {}}
    assert len(faults(data)) == 5


def test_an_error_has_origin_value_and_expected_value() -> None:
    one = reader()
    one.read(Model, {"inner": {"ttl": "60"}}, ("http",))
    (fault,) = one.faults
    assert fault.origin == Origin(kind="file", source=".rr.yaml", line=3)
    assert fault.value == "60"
    assert fault.expected.startswith("a duration")


def test_a_missing_required_key_is_reported_with_its_expected_value() -> None:
    assert faults({}, Needy) == ["http.command: is required", "http.inner: is required"]
    assert faults({"command": "", "inner": {}}, Needy) == ["http.command: should not be empty"]
    assert faults({"command": None, "inner": {}}, Needy) == ["http.command: is required"]
    one = reader()
    one.read(Needy, {"inner": {}}, ("http",))
    assert one.faults[0].expected == "a command: a string, or a list of arguments"


def test_the_models_own_check_reports_errors() -> None:
    assert faults({"number": 3}, Strict) == ["http: three is refused"]


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        ({"worker": 1}, "unknown: http.worker: unknown key did you mean `workers`?"),
        ({"ttl": 1}, "unknown: http.ttl: unknown key did you mean `http.inner.ttl`?"),
        ({"zzz": None}, "unknown: http.zzz: unknown key"),
        ({"inner": {"tll": 1}}, "unknown: http.inner.tll: unknown key did you mean `ttl`?"),
        ({"ssl": {"key": "x"}}, "unbuilt: http.ssl: is not part of this version: TLS; connections are plain"),
        ({"wait": 1_000_000_000, "debug": True}, "doubtful: http.debug: is slow"),
        ({"workers": 7}, "doubtful: http: all in all odd"),
        (
            {"inner": {"ttl": 5}},
            'doubtful: http.inner.ttl: 5 is 5 nanoseconds, as in RoadRunner write "5s" for seconds',
        ),
    ],
)
def test_a_value_that_is_probably_not_intended_is_a_warning(data: object, warning: str) -> None:
    assert warnings(data) == [warning]


@pytest.mark.parametrize("data", [{}, {"ssl": {}}, {"ssl": None}, {"inner": {"ttl": 0}}, {"inner": {"ttl": "5ns"}}])
def test_valid_values_give_no_warning(data: object) -> None:
    assert warnings(data) == []


def test_a_model_with_an_unsupported_type_raises_type_error() -> None:
    class Wrong(msgspec.Struct):
        data: bytes = b""

    with pytest.raises(TypeError, match=r"a config model can't use .*http.data"):
        reader().read(Wrong, {"data": "x"}, ("http",))
