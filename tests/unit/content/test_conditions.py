"""Conditional requests (RFC 9110, section 13)."""

from __future__ import annotations

import pytest

from pyroadrunner.content.conditions import Outcome, evaluate, http_date, range_counts

CHANGED = 784_111_777  # RFC 9110's own example
BEFORE, AT, AFTER = (http_date(CHANGED + shift).decode() for shift in (-1, 0, 1))
STRONG, WEAK = b'"a"', b'W/"a"'
SEND, NOT_MODIFIED, FAILED = Outcome.SEND, Outcome.NOT_MODIFIED, Outcome.FAILED


def test_a_date_is_formatted_as_in_http() -> None:
    assert http_date(CHANGED) == b"Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("headers", "etag", "outcome"),
    [
        ({}, STRONG, SEND),
        ({"if-none-match": '"a"'}, STRONG, NOT_MODIFIED),
        ({"if-none-match": 'W/"a"'}, STRONG, NOT_MODIFIED),
        ({"if-none-match": '"a"'}, WEAK, NOT_MODIFIED),
        ({"if-none-match": '"x", W/"a"'}, STRONG, NOT_MODIFIED),
        ({"if-none-match": '"x"'}, STRONG, SEND),
        ({"if-none-match": "*"}, b"", NOT_MODIFIED),
        ({"if-none-match": '""'}, b"", SEND),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, STRONG, SEND),  # the date is ignored
        ({"if-modified-since": AT}, b"", NOT_MODIFIED),
        ({"if-modified-since": AFTER}, b"", NOT_MODIFIED),
        ({"if-modified-since": BEFORE}, b"", SEND),
        ({"if-modified-since": "yesterday"}, b"", SEND),
        ({"if-modified-since": "Sunday, 06-Nov-94 08:49:37 GMT"}, b"", NOT_MODIFIED),
        ({"if-modified-since": "Sun Nov  6 08:49:37 1994"}, b"", NOT_MODIFIED),
        ({"if-match": '"a"'}, STRONG, SEND),
        ({"if-match": '"x"'}, STRONG, FAILED),
        ({"if-match": 'W/"a"'}, WEAK, FAILED),  # only strong tags match
        ({"if-match": "*"}, b"", SEND),
        ({"if-match": '"a"'}, b"", FAILED),
        ({"if-match": '"a"', "if-none-match": '"a"'}, STRONG, NOT_MODIFIED),
        ({"if-match": '"a"', "if-unmodified-since": BEFORE}, STRONG, SEND),
        ({"if-unmodified-since": BEFORE}, STRONG, FAILED),
        ({"if-unmodified-since": AT}, STRONG, SEND),
    ],
)
def test_conditions_are_evaluated_in_order(headers: dict[str, str], etag: bytes, outcome: Outcome) -> None:
    assert evaluate({name.encode(): value.encode() for name, value in headers.items()}, etag, CHANGED) is outcome


@pytest.mark.parametrize(
    ("header", "etag", "counts"),
    [
        (None, STRONG, True),
        ('"a"', STRONG, True),
        ('"x"', STRONG, False),
        ('W/"a"', WEAK, False),
        ('"a"', b"", False),
        (AT, STRONG, True),
        (BEFORE, STRONG, False),
        (AFTER, STRONG, False),
        ("soon", STRONG, False),
    ],
)
def test_a_range_applies_only_to_the_body_of_the_client(header: str | None, etag: bytes, counts: bool) -> None:
    assert range_counts({b"if-range": header.encode()} if header else {}, etag, CHANGED) is counts
