"""``rr stop``: a signal to the process named in ``.pid``. It needs no config and does not wait for the end."""

from __future__ import annotations

import os
import signal
import time

from pyroadrunner.cli.console import complain
from pyroadrunner.cli.serve.pid_file import read_pid
from pyroadrunner.config.load import LoadOptions, prepare
from pyroadrunner.errors import RoadRunnerError

_FORCE_AFTER = 1.0  # seconds between the signal that asks and the one that ends


def run(options: LoadOptions, *, silent: bool, force: bool) -> int:
    """Ask the server to stop; with ``force`` a second later again, which ends it at once.

    Returns:
        0.

    Raises:
        RoadRunnerError: no ``.pid`` here, or no such process.
    """
    prepare(options)
    pid = read_pid()
    if not silent:
        complain(f"{time.strftime('%Y/%m/%d %H:%M:%S')} stopping process with PID: {pid}", plain=True)
    _terminate(pid)
    if force:
        time.sleep(_FORCE_AFTER)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:  # the first was enough
            pass
    return 0


def _terminate(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        raise RoadRunnerError(f"no process has the PID {pid}; the .pid in {os.getcwd()} is a leftover") from None
    except PermissionError:
        raise RoadRunnerError(f"the process {pid} belongs to another user; run rr stop as that user") from None
