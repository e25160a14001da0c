"""Records of other libraries."""

from __future__ import annotations

import logging

from pyroadrunner.plugins.logger.encoders import encoder
from pyroadrunner.plugins.logger.handler import ForeignHandler
from pyroadrunner.plugins.logger.sink import Sink


class Kept:
    """An output that keeps what it gets."""

    name = "kept"

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        return None


def test_an_invalid_format_string_of_a_library_still_gives_a_line() -> None:
    output = Kept()
    handler = ForeignHandler([(encoder("raw", as_json=False), [Sink(output, print)])])
    handler.handle(logging.LogRecord("lib", logging.WARNING, "", 0, "broken %d", ("format",), None))
    assert output.data == b"broken %d\n"
