"""Stored values as counters."""

from __future__ import annotations

import pytest

from pyroadrunner.plugins.kv.store import counted
from pyroadrunner.remote.errors import StoreError


@pytest.mark.parametrize(
    ("value", "by", "result"), [(None, 1, 1), (b"5", 2, 7), (b"-3", -4, -7), (b"9223372036854775806", 1, 2**63 - 1)]
)
def test_digits_are_counted(value: bytes | None, by: int, result: int) -> None:
    assert counted(value, by) == result


@pytest.mark.parametrize("value", [b"", b"x", b"1.5", b" 1", b"--1", b"1_0", b"+1", "٣".encode(), b"1" * 20])
def test_other_values_are_refused(value: bytes) -> None:
    with pytest.raises(StoreError, match="not an integer"):
        counted(value, 1)


@pytest.mark.parametrize(("value", "by"), [(b"9223372036854775807", 1), (b"-9223372036854775808", -1)])
def test_a_result_beyond_64_bits_is_refused(value: bytes, by: int) -> None:
    with pytest.raises(StoreError, match="overflow"):
        counted(value, by)
