"""Text is separated from frames at any position."""

from __future__ import annotations

import pytest

from pyroadrunner.goridge.frame import Flag, encode_payload
from pyroadrunner.goridge.stdout_text import contains_frame, printed_text

FRAME = encode_payload(b'{"status":200}', b"the answer", Flag.JSON)


@pytest.mark.parametrize(
    ("data", "text", "whole"),
    [
        (b"", "", False),
        (b"plain", "plain", False),
        (b"before" + FRAME, "before", True),
        (b"before" + FRAME + b"after", "beforeafter", True),
        (FRAME + FRAME + b"after", "after", True),
        (b"before" + FRAME[:-1], "before", False),
        (b"\x14\x13 not a header, though it begins as one", "\x14\x13 not a header, though it begins as one", False),
        (b"caf\xc3\xa9 \xff" + FRAME, "café �", True),
        (b"before" + FRAME[:11], "before" + FRAME[:11].decode(errors="replace"), False),
    ],
)
def test_text_without_frames(data: bytes, text: str, whole: bool) -> None:
    assert printed_text(data) == text
    assert contains_frame(data) is whole
