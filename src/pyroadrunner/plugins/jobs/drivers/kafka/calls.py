"""A thread for calls that block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class CallThread:
    """Makes calls one after another. Unlike in an executor, one that hangs does not hold up the end of the process."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[object, ...]] | None] = SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def submit(self, call: Callable[..., T], *arguments: object) -> Future[T]:
        """Make a call after those before it; one that is cancelled before its turn is left out."""
        future: Future[T] = Future()
        self._calls.put((future, call, arguments))
        return future

    def end(self) -> None:
        """End after the last call."""
        self._calls.put(None)

    def _run(self) -> None:
        while (entry := self._calls.get()) is not None:
            future, call, arguments = entry
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call(*arguments))
                except BaseException as error:
                    future.set_exception(error)
            del entry, future, call, arguments  # they would live until the next call
