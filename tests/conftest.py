"""What holds for every test."""

from __future__ import annotations

import gc
import os
import signal

# Where it is set (many container images do), nothing is kept of what Python compiles, and each of the hundreds of `rr`
# started here would compile the whole editable package again: a third of its start. Users have it compiled by pip.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that starts the tests in the background (nohup, &) has it ignored, and whatever a test starts would inherit
# that: a service that is to end by SIGINT would be killed after five seconds instead.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end. Some tests collect garbage to see that nothing is left, and
    with thousands of tests collected, looking through those took most of their time."""
    gc.collect()
    gc.freeze()
