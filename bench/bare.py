"""The limit: the same workers over pipes, without HTTP or anything else in between.

One loop keeps one request in each worker at all times, as a server would: it waits for a reply, reads the frame, and
writes the next, prepared request. The difference to a server's result is the server's own work.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from bench import classes
from bench.client import WrongAnswer
from bench.loads import Load
from bench.subject import PHP, PHP_FILES, WORKERS
from pyroadrunner.goridge.frame import STOP_WORKER, Flag, Frame, encode, encode_payload
from pyroadrunner.goridge.reader import FrameReader

PIPE_BYTES = 1 << 20
NAME = "bare"
TITLE = "the workers alone, over pipes"
HTTP_WORKER = (*PHP, str(PHP_FILES / "worker.php"))


class Worker:
    """One worker process and its two pipes, after the handshake."""

    def __init__(
        self, variables: Mapping[str, str] | None = None, command: Sequence[str] = HTTP_WORKER, mode: str = "http"
    ) -> None:
        environment = {**os.environ, **(variables or {}), "RR_RELAY": "pipes", "RR_MODE": mode}
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0, pipesize=PIPE_BYTES
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._pipes = (self._child.stdin, self._child.stdout)
        self.input, self.output = (pipe.fileno() for pipe in self._pipes)
        self._reader = FrameReader()
        self.ask(encode(Flag.CONTROL | Flag.JSON, b'{"pid":%d}' % os.getpid()))

    def read(self) -> list[Frame]:
        """Wait for data and return it."""
        data = os.read(self.output, PIPE_BYTES)
        if not data:
            raise WrongAnswer(f"a worker exited with code {self._child.wait()}")
        return self._reader.feed(data)

    def ask(self, request: bytes) -> Frame:
        """Send one request and return its reply."""
        os.write(self.input, request)
        while not (frames := self.read()):
            pass
        return frames[0]

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self.input, STOP_WORKER)
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for pipe in self._pipes:
            pipe.close()


@contextlib.contextmanager
def workers() -> Iterator[list[Worker]]:
    """Start the same number of workers as the servers have."""
    started: list[Worker] = []
    with tempfile.TemporaryDirectory(prefix="bench-bare-") as name:
        variables = classes.write(Path(name) / "classes")
        try:
            for _ in range(WORKERS):
                started.append(Worker(variables))
            yield started
        finally:
            for worker in started:
                worker.stop()


def request(load: Load) -> bytes:
    """The frame that a server would send for a request of wrk."""
    context = {
        "remoteAddr": "127.0.0.1",
        "protocol": "HTTP/1.1",
        "method": "POST" if load.post_bytes else "GET",
        "uri": f"http://127.0.0.1:8080{load.path}",
        "headers": {name: [value] for name, value in load.sent_headers},
        "cookies": {name: unquote(value) for name, value in load.cookies},
        "rawQuery": "",
        "parsed": False,
        "uploads": None,
        "attributes": {},
    }
    return encode_payload(json.dumps(context, separators=(",", ":")).encode(), load.body, Flag.JSON)


def check(worker: Worker, load: Load) -> None:
    """Ask once.

    Raises:
        WrongAnswer: with the actual reply.
    """
    frame = worker.ask(request(load))
    size = frame.options[0]
    head, body = json.loads(frame.payload[:size]), frame.payload[size:]
    headers = [(name, value) for name, values in dict(head.get("headers") or {}).items() for value in values]
    if not load.accepts(head["status"], headers, body):
        raise WrongAnswer(f"a bare worker answers {load.path} with {head} and {len(body)} bytes: {body[:200]!r}")


def rate(started: list[Worker], load: Load, seconds: float) -> float:
    """Total requests per second of all workers."""
    return feed(started, request(load), seconds)


def feed(started: Sequence[Worker], frame: bytes, seconds: float) -> float:
    """Send the same frame again and again: replies per second of all workers."""
    by_output = {worker.output: worker for worker in started}
    with select.epoll() as poll:
        for worker in started:
            poll.register(worker.output, select.EPOLLIN)
            os.write(worker.input, frame)
        count = 0
        start = now = time.perf_counter()
        end = start + seconds
        while now < end:
            for output, _ in poll.poll():
                worker = by_output[output]
                if worker.read():
                    count += 1
                    os.write(worker.input, frame)
            now = time.perf_counter()
        for worker in started:  # one reply each is still outstanding
            while not worker.read():
                pass
    return count / (now - start)
