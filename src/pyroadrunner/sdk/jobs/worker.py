"""Jobs in a worker: receive them, say what becomes of them, and the loop around handlers."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from pyroadrunner.goridge.errors import RelayClosed
from pyroadrunner.sdk.jobs.messages import HeaderValues
from pyroadrunner.sdk.worker import Worker, unreadable

Handler: TypeAlias = Callable[["Task"], Awaitable[None] | None]

_ACK, _NACK, _REQUEUE = 2, 3, 4


class _Head(msgspec.Struct, kw_only=True):
    id: str = ""
    job: str = ""
    headers: dict[str, list[str]] | None = None
    pipeline: str
    driver: str = ""
    queue: str = ""


_decode_head = msgspec.json.Decoder(_Head).decode
_encode = msgspec.json.Encoder().encode


class Settled(RuntimeError):
    """The job is settled already."""


class Task:
    """A job in its worker. It needs exactly one of :meth:`ack`, :meth:`nack`, :meth:`requeue` and :meth:`fail`.

    Attributes:
        name: what handles it.
        queue: the broker's name of the queue; may be empty.
        settled: whether one of these methods was called.
    """

    def __init__(self, worker: Worker, head: _Head, payload: bytes) -> None:
        self.id = head.id
        self.name = head.job
        self.payload = payload
        self.headers: Mapping[str, list[str]] = head.headers or {}
        self.pipeline = head.pipeline
        self.driver = head.driver
        self.queue = head.queue
        self.settled = False
        self._worker = worker

    def __repr__(self) -> str:
        return f"Task({self.name!r}, id={self.id!r}, pipeline={self.pipeline!r}, {len(self.payload)} B)"

    def header(self, name: str) -> str | None:
        """The first value of a header; its name may be in any case."""
        for key, values in self.headers.items():
            if key.lower() == name.lower() and values:
                return values[0]
        return None

    @property
    def failed_attempts(self) -> int:
        """How often the job has failed before."""
        return int(self.header("rr_attempts") or 0)

    def ack(self) -> None:
        """The job is done."""
        self._settle(_ACK, {})

    def nack(self, message: str, *, redelivery: bool = False, delay: int = 0) -> None:
        """The job has failed: for good, or as one of its attempts."""
        self._settle(_NACK, {"message": message, "requeue": redelivery, "delay_seconds": delay})

    def requeue(self, message: str, *, delay: int = 0, headers: Mapping[str, HeaderValues] | None = None) -> None:
        """Put the job back; that is no failed attempt. The headers replace those with the same name."""
        given = {name: [one] if isinstance(one, str) else list(one) for name, one in (headers or {}).items()}
        self._settle(_REQUEUE, {"message": message, "delay_seconds": delay, "headers": given})

    def fail(self, message: str) -> None:
        """The attempt has failed: the server runs the job again as the pipeline's ``max_attempts`` and ``backoff``
        say."""
        self._claim()
        self._worker.error(message)

    def _settle(self, kind: int, data: Mapping[str, Any]) -> None:
        self._claim()
        self._worker.respond(_encode({"type": kind, "data": data}))

    def _claim(self) -> None:
        if self.settled:
            raise Settled(f"the job {self.id} is settled already")
        self.settled = True


class JobsWorker:
    """Jobs in a worker. Same names as in the PHP library."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @classmethod
    def create(cls) -> JobsWorker:
        """The worker of the server that started this process. Raises as :meth:`Worker.create`."""
        return cls(Worker.create())

    def receive(self) -> Task | None:
        """Wait for the next job; ``None`` when it is time to exit. Raises as :meth:`Worker.receive`."""
        while (payload := self.worker.receive()) is not None:
            try:
                return Task(self.worker, _decode_head(payload.context), payload.body)
            except msgspec.MsgspecError as error:
                self.worker.error(unreadable("job", error, "jobs"))
        return None

    def run(self, handler: Handler) -> None:
        """Call the handler for each job until the server stops the worker.

        The handler may be a coroutine function; all jobs run on one event loop, one after another. A job that the
        handler has not settled is done; an exception is a failed attempt.
        """
        with asyncio.Runner() as runner:
            try:
                while (task := self.receive()) is not None:
                    self._handle(task, handler, runner)
            except RelayClosed:
                pass  # the server exited without a stop

    def _handle(self, task: Task, handler: Handler, runner: asyncio.Runner) -> None:
        try:
            result = handler(task)
            if result is not None:
                runner.run(_awaited(result))
            if not task.settled:
                task.ack()
        except RelayClosed:
            raise
        except Exception as error:
            # The error first: lists of failed jobs show the beginning.
            text = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
            if task.settled:
                print(text, file=sys.stderr, flush=True)
            else:
                task.fail(text)


class Handlers:
    """Handlers of jobs by name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def job(self, name: str) -> Callable[[Handler], Handler]:
        """A decorator for the handler of the jobs with this name."""

        def register(handler: Handler) -> Handler:
            self._handlers[name] = handler
            return handler

        return register

    def __call__(self, task: Task) -> Awaitable[None] | None:
        """Handle a job; one without a handler fails."""
        handler = self._handlers.get(task.name)
        if handler is None:
            task.fail(f"no handler for the job {task.name!r}; there are {', '.join(sorted(self._handlers)) or 'none'}")
            return None
        return handler(task)

    def serve(self) -> None:
        """Run jobs until the server stops the worker."""
        serve(self)


def serve(handler: Handler) -> None:
    """Run jobs until the server stops the worker; see :meth:`JobsWorker.run`."""
    JobsWorker.create().run(handler)


async def _awaited(result: Awaitable[None]) -> None:
    await result
