"""An error has origin, key, message, expected value and hint."""

from __future__ import annotations

import pytest

from pyroadrunner.config.errors import ConfigError, Fault, fail
from pyroadrunner.config.origin import Origin

PLACE = Origin(kind="file", source=".rr.yaml", line=12)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault(message="wrong"), "wrong"),
        (Fault(message="wrong", path="a.b"), "a.b: wrong"),
        (Fault(message="wrong", origin=PLACE), ".rr.yaml:12: wrong"),
        (
            Fault(message="wrong", path="a.b", expected="a map", hint="did you mean `c`?", origin=PLACE),
            ".rr.yaml:12: a.b: wrong; expected a map; did you mean `c`?",
        ),
    ],
)
def test_a_fault_is_one_line(fault: Fault, text: str) -> None:
    assert str(fault) == text


def test_the_exception_lists_every_error() -> None:
    faults = [Fault(message="one"), Fault(message="two")]
    with pytest.raises(ConfigError, match=r"^one\ntwo$") as caught:
        fail(iter(faults))
    assert caught.value.faults == faults


def test_without_errors_nothing_is_raised() -> None:
    fail([])
