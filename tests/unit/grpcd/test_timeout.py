"""``grpc-timeout``."""

from __future__ import annotations

import pytest

from pyroadrunner.grpcd.timeout import parse_timeout


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"1H", 3600),
        (b"2M", 120),
        (b"3S", 3),
        (b"5m", 0.005),
        (b"6u", 6e-06),
        (b"7n", 7e-09),
        (b"0n", 0),
        (b"99999999H", 99999999 * 3600),
    ],
)
def test_a_timeout_is_digits_and_a_unit(text: bytes, seconds: float) -> None:
    assert parse_timeout(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"", b"1", b"H", b"1s", b"-1S", b"1.5S", b"999999999S", b"1S ", b"\xb2S"])
def test_other_forms_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="malformed grpc-timeout"):
        parse_timeout(text)
