"""Settings for all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, settings

from support.brokers import Brokers
from support.browser import Browser
from support.http import ENGINES, Listening
from support.http import listening as serve

# If it is set (as in many container images), Python does not cache compiled modules, and each of the hundreds of `rr`
# processes would compile the whole editable package again: a third of its start. For users, pip compiles it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell that starts the tests in the background (nohup, &) ignores SIGINT, and child processes inherit that: a service
# that should stop on SIGINT would be killed after five seconds instead.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# On a busy machine an example may take long.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_BROKERS = pytest.StashKey[Brokers]()


def pytest_collection_finish() -> None:
    """Exclude imported modules and collected tests from garbage collection. Some tests run it to detect leaks, and with
    thousands of collected tests it took most of their time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """With `-n auto`: two processes per core, as the tests wait for PHP or the server half of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(2 * cores, 16)


@pytest.fixture(scope="session")
def brokers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Brokers:
    """Brokers shared by all processes of the run."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent  # each process has its own folder in that of the run
    brokers = request.config.stash[_BROKERS] = Brokers(folder / "brokers")
    return brokers


@pytest.hookimpl(tryfirst=True)  # pytest-xdist ends the processes some seconds after all are done
def pytest_sessionfinish(session: pytest.Session) -> None:
    if _BROKERS in session.config.stash:
        session.config.stash[_BROKERS].close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium of this process; tests use ``browser``."""
    browser = Browser(tmp_path_factory.mktemp("pictures"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Pages in headless Chromium."""
    chromium.resume()
    yield chromium
    chromium.pause()


@pytest.fixture(params=ENGINES)
def listening(request: pytest.FixtureRequest) -> Listening:
    """``support.http.listening`` with each server of plain HTTP/1 in turn."""
    return partial(serve, engine=request.param)
