"""A launcher of ``rr`` with a wall clock that the test sets: ``[sys.executable, __file__, OFFSET_FILE]``.

The file has the milliseconds that the clock is ahead; the server reads it with each look at the clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> int:
    sys.path.pop(0)  # this folder, whose http.py would hide that of the standard library
    offset_file, _, *arguments = sys.argv[1:]  # the second is the path of rr
    real = time.time_ns
    offset = Path(offset_file)
    time.time_ns = lambda: real() + int(offset.read_text() or 0) * 1_000_000
    from pyroadrunner.cli.main import main as rr

    return rr(arguments)


if __name__ == "__main__":
    sys.exit(main())
