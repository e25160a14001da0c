"""What holds for every test."""

from __future__ import annotations

import gc
import os
import signal

import pytest

from support.brokers import Brokers

# Where it is set (many container images do), nothing is kept of what Python compiles, and each of the hundreds of `rr`
# started here would compile the whole editable package again: a third of its start. Users have it compiled by pip.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that starts the tests in the background (nohup, &) has it ignored, and whatever a test starts would inherit
# that: a service that is to end by SIGINT would be killed after five seconds instead.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_BROKERS = pytest.StashKey[Brokers]()


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end. Some tests collect garbage to see that nothing is left, and
    with thousands of tests collected, looking through those took most of their time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`: two processes a core, as the tests wait for others (PHP, the server) half of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2 * cores, 16)


@pytest.fixture(scope="session")
def brokers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Brokers:
    """Brokers that all processes of the run share."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent  # each process has a folder of its own in that of the run
    brokers = request.config.stash[_BROKERS] = Brokers(folder / "brokers")
    return brokers


@pytest.hookimpl(tryfirst=True)  # pytest-xdist ends the processes some seconds after it has heard that all are done
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _BROKERS in session.config.stash:
        session.config.stash[_BROKERS].close()
