"""The worker of ``php/jobs.php`` in Python."""

from __future__ import annotations

import os
import struct
import time

from pyroadrunner.sdk.jobs import Task, serve

_RUNS = os.open(os.environ["RUNS"], os.O_WRONLY | os.O_APPEND)
_pack = struct.Struct("<QQ").pack


def handle(task: Task) -> None:
    os.write(_RUNS, _pack(int(task.payload), time.monotonic_ns()))


if __name__ == "__main__":
    serve(handle)
