"""Continuous requests while a test operates on the server: each is counted, each failure is kept."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from types import TracebackType

_CLOSED = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Load:
    """Threads that send one request after the other, within the ``with`` block.

    Half of them open a new connection for each request. The others keep theirs, and retry once on a new one if the
    server closed it while idle, which HTTP allows at any time and every client has to expect (RFC 9112 section 9.3.1).

    Args:
        tls: the trust settings for TLS.
        stops: the server is expected to stop; a thread that can no longer connect ends without a failure.

    Attributes:
        done: requests answered with 200.
        failures: descriptions of the other requests.
        bodies: all distinct response bodies.
    """

    def __init__(
        self,
        address: tuple[str, int],
        path: str = "/",
        *,
        threads: int = 4,
        tls: ssl.SSLContext | None = None,
        stops: bool = False,
    ) -> None:
        self.done = 0
        self.failures: list[str] = []
        self.bodies: set[bytes] = set()
        self._address = address
        self._path = path
        self._tls = tls
        self._stops = stops
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._threads = [threading.Thread(target=self._run, args=(bool(n % 2),), daemon=True) for n in range(threads)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for_more(len(self._threads))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads), "a request hangs"

    def wait_for_more(self, count: int, timeout: float = 30.0) -> None:
        """Return after this many more responses."""
        until = time.monotonic() + timeout
        with self._progress:
            wanted = self.done + count
            while self.done < wanted and not self.failures:
                assert self._progress.wait(until - time.monotonic()), f"{self.done} answers after {timeout} s"

    def _run(self, keep: bool) -> None:
        connection = self._connection()
        fresh = True
        while not self._stop.is_set():
            try:
                connection.request("GET", self._path)
                answer = connection.getresponse()
                body = answer.read()
            except ConnectionRefusedError as wrong:
                if not self._stops:
                    self._note(f"{type(wrong).__name__}: {wrong}")
                break
            except (OSError, http.client.HTTPException) as wrong:
                connection.close()
                if fresh or not isinstance(wrong, _CLOSED):
                    self._note(f"{type(wrong).__name__}: {wrong}")
                fresh = True
                continue
            if answer.status != 200:
                self._note(f"{answer.status} {body[:200]!r}")
            else:
                self._count(body)
            fresh = not keep or answer.will_close
            if fresh:
                connection.close()
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(*self._address, timeout=20, context=self._tls)
        return http.client.HTTPConnection(*self._address, timeout=20)

    def _note(self, failure: str) -> None:
        with self._progress:
            self.failures.append(failure)
            self._progress.notify_all()

    def _count(self, body: bytes) -> None:
        with self._progress:
            self.done += 1
            self.bodies.add(body)
            self._progress.notify_all()
