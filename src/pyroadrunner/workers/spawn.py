"""Starts a command, over pipes or a socket, and waits for its hello: the result is a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from subprocess import DEVNULL
from typing import Any

from pyroadrunner.goridge.errors import RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.pipes import PipePair
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.goridge.sockets import SocketListener
from pyroadrunner.goridge.stdout_text import printed_text
from pyroadrunner.log import Log
from pyroadrunner.workers.child_process import SERVER_CREDENTIALS, Child, Credentials, start_child
from pyroadrunner.workers.errors import STDOUT_HELP, WorkerStartError, no_hello
from pyroadrunner.workers.output import OutputReader
from pyroadrunner.workers.worker import Worker

MAX_ANSWER = 1 << 30  # bytes in one frame of a worker; a header that announces more counts as garbage
_GARBAGE_FOR = 0.5  # seconds to collect what a worker writes instead of its hello
_SHOWN_CHARACTERS = 8192  # of that text in the error
_EXIT_FOR = 0.5  # seconds a worker that closed its relay has to exit
_NO_INPUT = "Could not open input file"  # the php command prints this if the script is missing

log = Log("server")


class Spawner:
    """Starts workers of one command.

    Args:
        command: program and arguments.
        env: their whole environment.
        pool: name of their pool, for the log.
        timeout: seconds for a worker to start and say hello.
        credentials: their user and groups.
        listener: the listener that they connect to; ``None`` = pipes.
        start: starts the process; a test passes another.
    """

    def __init__(
        self,
        command: list[str],
        env: Mapping[str, str],
        *,
        pool: str,
        timeout: float,
        credentials: Credentials = SERVER_CREDENTIALS,
        listener: SocketListener | None = None,
        start: Callable[..., Child] = start_child,
    ) -> None:
        self.command = command
        self.timeout = timeout
        self._pool = pool
        self._env = env
        self._credentials = credentials
        self._listener = listener
        self._start_child = start

    def __repr__(self) -> str:
        return f"Spawner({' '.join(self.command)!r}, {'socket' if self._listener else 'pipes'})"

    async def spawn(self) -> Worker:
        """Start one worker and wait for its hello. Safe to cancel: the child is killed.

        Raises:
            WorkerStartError: it could not be started, exited, wrote something else, or sent no hello in time.
        """
        started = asyncio.get_running_loop().time()
        stderr = OutputReader(lambda line: _log_stderr(line, self._pool, starting.pid))
        starting = _Start(self.command, stderr, self._start_child)
        try:
            if self._listener is None:
                relay = await starting.over_pipes(self._env, self._credentials, self.timeout)
            else:
                relay = await starting.over_socket(self._listener, self._env, self._credentials, self.timeout)
        except BaseException as error:
            await starting.abandon()
            if isinstance(error, OSError | RelayError):  # out of descriptors; the listener was closed
                raise starting.error(_describe(error)) from error
            raise
        child = starting.child
        assert child is not None  # it has a relay
        log.debug("worker is allocated", pool=self._pool, pid=child.pid)
        return Worker(child, relay, stderr, started=started, pool=self._pool)


class _Start:
    """One attempt to start a worker."""

    def __init__(self, command: list[str], stderr: OutputReader, start: Callable[..., Child]) -> None:
        self.child: Child | None = None
        self._command = command
        self._stderr = stderr
        self._start_child = start
        self._relay: Relay | None = None

    @property
    def pid(self) -> int:
        """0 until the process has been started."""
        return self.child.pid if self.child is not None else 0

    async def abandon(self) -> None:
        """Kill the child and close its pipes."""
        if self.child is not None:
            self.child.kill()
            await self.child.wait()
        if self._relay is not None:
            self._relay.close()
        self._stderr.close()

    async def over_pipes(self, env: Mapping[str, str], credentials: Credentials, timeout: float) -> Relay:
        pipes = PipePair()
        try:
            await self._start(env, credentials, stdin=pipes.child_stdin, stdout=pipes.child_stdout)
        except BaseException:
            pipes.close()
            raise
        self._relay = relay = await pipes.connect(MAX_ANSWER)
        hello = relay.handshake(os.getpid())
        await asyncio.wait([hello], timeout=timeout)
        if not hello.done():
            raise self.error(no_hello(timeout))
        try:
            hello.result()
        except RemoteFrameError:
            raise await self._on_no_hello(relay) from None
        except RelayClosed as error:
            raise await self._ended(str(error)) from None
        except RelayError as error:
            raise self.error(str(error)) from None
        return relay

    async def over_socket(
        self, listener: SocketListener, env: Mapping[str, str], credentials: Credentials, timeout: float
    ) -> Relay:
        await self._start(env, credentials)
        assert self.child is not None
        connected = listener.expect(self.child.pid)
        try:
            either: tuple[asyncio.Future[Any], ...] = (connected, self.child.exited)
            await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if connected.done():
                self._relay = connected.result()
                return self._relay
        finally:
            if not connected.done():
                listener.forget(self.child.pid)
        if self.child.exited.done():
            raise await self._ended("exited before it connected to the relay")
        raise self.error(no_hello(timeout))

    async def _start(
        self, env: Mapping[str, str], credentials: Credentials, *, stdin: int = DEVNULL, stdout: int = DEVNULL
    ) -> None:
        child_stderr = await self._stderr.open()
        try:
            self.child = self._start_child(
                self._command, env=env, credentials=credentials, stdin=stdin, stdout=stdout, stderr=child_stderr
            )
        except FileNotFoundError:
            program = self._command[0]
            where = "no such file or directory" if "/" in program else "executable file not found in $PATH"
            raise self.error(f'exec: "{program}": {where}') from None
        except OSError as error:
            raise self.error(f'exec: "{self._command[0]}": {_describe(error)}') from error
        finally:
            os.close(child_stderr)

    async def _on_no_hello(self, relay: Relay) -> WorkerStartError:
        assert self.child is not None
        await self.child.wait(_GARBAGE_FOR)
        self.child.kill()
        status = await self.child.wait()
        await asyncio.wait([self._stderr.closed], timeout=_EXIT_FOR)
        text = printed_text(relay.garbage)[:_SHOWN_CHARACTERS]
        if text.startswith(_NO_INPUT):
            return self.error(f"goridge_frame_receive: FileNotFound: {text.strip()}", status)
        return self.error(
            "goridge_frame_receive: validation failed on the message sent to STDOUT, "
            f"see: {STDOUT_HELP}, invalid message: {text}",
            status,
        )

    async def _ended(self, reason: str) -> WorkerStartError:
        assert self.child is not None
        if await self.child.wait(_EXIT_FOR) is None:
            self.child.kill()
            await self.child.wait()
        await asyncio.wait([self._stderr.closed], timeout=_EXIT_FOR)
        return self.error(reason, self.child.exited.result())

    def error(self, reason: str, status: int | None = None) -> WorkerStartError:
        return WorkerStartError(self._command, reason, status, self._stderr.tail())


def _describe(error: OSError | RelayError) -> str:
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)


def _log_stderr(line: str, pool: str, pid: int) -> None:
    """Log the line unchanged: Octane's workers send JSON to their command this way."""
    log.info(line, pool=pool, pid=pid)
