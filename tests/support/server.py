"""The real ``rr serve`` in its own folder, for tests that need a running server.

    with Server(tmp_path, {"http": {"pool": {"num_workers": 1}}, "server": {"command": "php worker.php"}}) as server:
        urlopen(server.url)
    assert server.exit_code == 0

The config gets values that do not matter to tests: ``version``, a free loopback port for ``http`` (if the section is
present) and for ``rpc``. Readiness is an event: the line that the server prints when all plugins have started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import yaml

from pyroadrunner.sdk.rpc import RpcClient
from support.ports import free_port as free_port

# The one file and a packaged server are tested in this way (scripts/onefile-check.sh).
RR = Path(os.environ.get("RR_UNDER_TEST") or Path(sys.executable).parent / "rr")
READY = "RoadRunner server started"
_FOREIGN = (
    "DOTENV_PATH",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "RR_RELAY",
    "RR_RPC",
    "RR_MODE",
    "COLUMNS",
    "LINES",
)  # variables from the environment of the test run
_PIPE_BYTES = 1 << 20  # no pipe holds more, unless root asks for it


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of ``rr`` in tests."""
    kept = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
    return {**kept, **(extra or {})}


class Stream:
    """The output of a process to one pipe. A thread reads it, so the process never blocks on it. :attr:`text` and
    :meth:`count` include output that the thread has not read yet."""

    def __init__(self, pipe: IO[bytes], changed: threading.Condition) -> None:
        self._pipe = pipe
        self._changed = changed
        self._data = bytearray()
        self._written = select.poll()
        self._written.register(pipe, select.POLLIN)
        self.ended = False
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        with self._changed:
            self._read()
            return self._data.decode("utf-8", "replace")

    def count(self, text: str) -> int:
        """How often a text was written; called after each piece of output, so it does not decode."""
        with self._changed:
            self._read()
            return self._data.count(text.encode())

    def _follow(self) -> None:
        something = select.poll()
        something.register(self._pipe, select.POLLIN)
        while not self.ended:
            something.poll()
            with self._changed:
                self._read()

    def _read(self) -> None:
        """Read everything that is in the pipe now; the caller holds the lock."""
        if not self.ended and self._written.poll(0):
            chunk = os.read(self._pipe.fileno(), _PIPE_BYTES)
            self._data += chunk
            self.ended = not chunk
            self._changed.notify_all()

    def close(self) -> None:
        self._thread.join(timeout=30)
        if (
            not self._thread.is_alive()
        ):  # otherwise a grandchild still holds the other end, and the thread reads from it
            self._pipe.close()


class Server:
    """``rr serve``, started and ready; stopped at the end.

    Args:
        folder: the working directory, with ``.rr.yaml``.
        config: sections as a dict (completed as described above), the text of the file, or ``None`` for no file.
        command: arguments of ``rr``; flags for ``serve`` may be added.
        env: added to the environment.
        ready: text on stdout or stderr that shows that the server is ready.
        launcher: a command that gets the server's command as arguments and executes it.
        timeout: seconds after which any wait fails the test.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any] | str | None,
        *,
        command: Sequence[str] = ("serve",),
        env: Mapping[str, str] | None = None,
        ready: str = READY,
        timeout: float = 60.0,
        launcher: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.timeout = timeout
        self.exit_code: int | None = None
        self._ready = ready
        self._command = [*launcher, str(RR), *command]
        self._env = environment(env)
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._streams: dict[str, Stream] = {}
        self.config: dict[str, Any] = {}
        if isinstance(config, str):
            (folder / ".rr.yaml").write_text(config, encoding="utf-8")
            self.config = yaml.safe_load(config) or {}
        elif config is not None:
            self.config = completed(config)
            (folder / ".rr.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")

    def __repr__(self) -> str:
        state = "not started" if self._process is None else f"pid={self._process.pid}, exit={self.exit_code}"
        return f"Server({' '.join(self._command[1:])!r} in {self.folder}, {state})"

    # -- addresses -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """``http://host:port`` of ``http.address``, without a slash at the end."""
        return f"http://{self.config['http']['address']}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of ``http.address``."""
        host, _, port = self.config["http"]["address"].rpartition(":")
        return host, int(port)

    @property
    def rpc(self) -> str:
        """``rpc.listen``, such as ``tcp://127.0.0.1:6001``."""
        listen: str = self.config["rpc"]["listen"]
        return listen

    @property
    def pid(self) -> int:
        return self._running().pid

    def workers(self, plugin: str = "http") -> set[int]:
        """Process ids of a plugin's workers, requested over RPC, which is much faster than ``rr workers``."""
        with RpcClient(self.rpc) as client:
            return {worker["pid"] for worker in client.call("informer.Workers", plugin)["workers"]}

    def wait_for_workers(self, count: int, plugin: str = "http") -> set[int]:
        """Wait for this number of workers; return their process ids."""
        deadline = time.monotonic() + self.timeout
        while len(found := self.workers(plugin)) != count:
            assert time.monotonic() < deadline, f"{self!r}: {count} workers are wanted, not {found}{self._output()}"
            time.sleep(0.02)
        return found

    # -- output ----------------------------------------------------------------------------------------------------

    @property
    def stdout(self) -> str:
        return self._streams["stdout"].text

    @property
    def stderr(self) -> str:
        return self._streams["stderr"].text

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Return once ``text`` was written (to either stream, ``times`` times in all).

        Raises:
            AssertionError: the server exited before, or ``timeout`` is over; the message has all its output.
        """
        self._wait(lambda: self._count(text) >= times, f"{text!r} ({times} times)")

    # -- start and stop --------------------------------------------------------------------------------------------

    def start(self) -> Server:
        """Start it and return immediately; :meth:`wait_for` or ``with`` wait until it is ready."""
        process = subprocess.Popen(
            self._command,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._streams = {
            "stdout": Stream(process.stdout, self._changed),
            "stderr": Stream(process.stderr, self._changed),
        }
        return self

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server alone, not to its children."""
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait until it exits by itself; return its exit code (negative: killed by that signal)."""
        try:
            self.exit_code = self._running().wait(self.timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self!r} is still running after {self.timeout} s{self._output()}") from None
        self._wait(self._silent, "the end of its output")
        return self.exit_code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it, wait for its exit and return the exit code. Stopping twice gives the same code."""
        if self.exit_code is None:
            if self._running().poll() is None:
                self.send(number)
            self.wait()
        assert self.exit_code is not None
        return self.exit_code

    def kill(self) -> None:
        """Kill it and its process group. Never fails; may be called in any state."""
        process = self._process
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # the group has no more processes
            pass
        code = process.wait(self.timeout)
        if self.exit_code is None:
            self.exit_code = code
        for stream in self._streams.values():
            stream.close()

    def __enter__(self) -> Server:
        self.start()
        try:
            self.wait_for(self._ready)
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.stop()
        finally:
            self.kill()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the server was not started"
        return self._process

    def _count(self, text: str) -> int:
        return sum(stream.count(text) for stream in self._streams.values())

    def _silent(self) -> bool:
        return all(stream.ended for stream in self._streams.values())

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        with self._changed:  # its lock is reentrant, so `done` may read the streams
            self._changed.wait_for(lambda: done() or self._silent(), self.timeout)
            if not done():
                why = "it has ended" if self._silent() else f"{self.timeout} s are over"
                raise AssertionError(f"{self!r}: waiting for {what}, but {why}{self._output()}")

    def _output(self) -> str:
        return "".join(f"\n--- {name}\n{stream.text}" for name, stream in self._streams.items())


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with ``version``, and with addresses for ``http`` (if present) and ``rpc``."""
    full: dict[str, Any] = {"version": "3", **config}
    if full.get("http") is not None:
        full["http"] = {"address": f"127.0.0.1:{free_port()}", **full["http"]}
    full["rpc"] = {"listen": f"tcp://127.0.0.1:{free_port()}", **(full.get("rpc") or {})}
    return full


def rr(*args: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 60.0) -> Finished:
    """Run ``rr`` to its end with nothing on stdin."""
    done = subprocess.run(
        [str(RR), *args], cwd=cwd, env=environment(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


class Finished:
    """The exit code and output of an ``rr`` command."""

    def __init__(self, code: int, stdout: str, stderr: str) -> None:
        self.code = code
        self.stdout = stdout
        self.stderr = stderr

    def __repr__(self) -> str:
        return f"Finished(code={self.code}, stdout={self.stdout!r}, stderr={self.stderr!r})"
