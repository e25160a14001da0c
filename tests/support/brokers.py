"""Brokers that all tests of a run share: started by the first test that needs one, stopped at the end of the run.

For brokers that start slowly and isolate their users (databases, virtual hosts, namespaces, prefixes):

    @contextmanager
    def rabbitmq(folder: Path) -> Iterator[dict[str, Any]]:
        with running_program([...], folder / "rabbitmq.log") as program:
            yield {"port": port}

    @pytest.fixture(scope="session")
    def rabbitmq_port(brokers: Brokers) -> int:
        return brokers.use("rabbitmq", rabbitmq)["port"]

pytest-xdist runs the tests in several processes, each with its own session fixtures. Theory of operation: the processes
of a run share one folder. The first process that needs a broker starts it and writes the value of its context manager
to a file; the others read it. Each user holds a shared lock on ``NAME.users``; the process that started the broker
stops it when it gets the exclusive lock. A process that crashes loses its locks and does not block the others. A test
that stops, hangs or reconfigures its broker needs its own.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any


class Brokers:
    """The brokers that this process uses.

    Args:
        folder: the same for all processes of the run, and for no other run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._facts: dict[str, Any] = {}
        self._uses: dict[str, int] = {}  # a descriptor with a shared lock for each
        self._started: dict[str, ExitStack] = {}

    def use(self, name: str, broker: Callable[[Path], AbstractContextManager[Any]]) -> Any:
        """The value that ``broker`` yielded in the process that started it, after a round trip through JSON.

        Args:
            name: of the broker, the same in all processes.
            broker: starts the broker in the given folder, waits until it is ready, and stops it.
        """
        if name not in self._facts:
            folder = self._folder / name
            folder.mkdir(parents=True, exist_ok=True)
            facts = folder / "facts.json"
            with _locked(self._folder / f"{name}.lock"):
                if not facts.exists():
                    stack = ExitStack()
                    facts.write_text(json.dumps(stack.enter_context(broker(folder))), encoding="utf-8")
                    self._started[name] = stack
                self._uses[name] = _open(self._folder / f"{name}.users")
                fcntl.flock(self._uses[name], fcntl.LOCK_SH)
            self._facts[name] = json.loads(facts.read_text(encoding="utf-8"))
        return self._facts[name]

    def close(self) -> None:
        """Release all brokers; stop those that this process started, each when no other process uses it."""
        for descriptor in self._uses.values():  # all first: two processes may wait for each other's
            os.close(descriptor)
        self._uses.clear()
        self._facts.clear()
        while self._started:
            name, stack = self._started.popitem()
            with _locked(self._folder / f"{name}.lock"), _locked(self._folder / f"{name}.users"):
                (self._folder / name / "facts.json").unlink()
                stack.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
