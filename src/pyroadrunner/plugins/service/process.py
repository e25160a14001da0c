"""One process of a service: start it, log its output, restart it if configured, stop it.

Theory of operation: a task (``_run``) owns the process from the first start to the final exit. It waits for the exit
and, with ``remain_after_exit``, starts the process again. A stop sets ``_stopping``, which the task checks after each
wait and before each start, so that a stop during the delay or during a start leaves no process behind.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import time
from contextlib import suppress

from pyroadrunner.config.expand import as_environment
from pyroadrunner.log import Log
from pyroadrunner.plugins.service.config import RESTART_SEC, TIMEOUT_STOP_SEC, ServiceConfig
from pyroadrunner.plugins.service.errors import StartFailed
from pyroadrunner.workers.child_process import SERVER_CREDENTIALS, Child, Credentials, start_child
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.output import OutputReader
from pyroadrunner.workers.usage import cpu_seconds_of, memory_of

_OUTPUT_TIMEOUT = 1.0  # seconds to wait for remaining output if a descendant outside the group holds the pipe


class ServiceProcess:
    """A process of the service ``name``, not yet started.

    Attributes:
        pid: pid of the running process, or of the last one; 0 before the first start.
        command: the resolved program and its arguments, for display.
        how: how the last process ended, in Go's words; empty before the first exit.
    """

    def __init__(self, name: str, config: ServiceConfig, log: Log) -> None:
        self.pid = 0
        self.how = ""
        self._name = name
        self._config = config
        self._log = log
        self._env = {**os.environ, **as_environment(config.env, os.environ)}
        program, *arguments = config.command
        self.command = " ".join([shutil.which(program, path=self._env.get("PATH")) or program, *arguments])
        self._credentials = SERVER_CREDENTIALS
        self._child: Child | None = None
        self._started = 0.0
        self._output: OutputReader | None = None
        self._stopping = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"ServiceProcess({self._name}, pid={self.pid}, {'running' if self.running else self.how or 'new'})"

    @property
    def running(self) -> bool:
        return self._child is not None and not self._child.exited.done()

    async def start(self) -> None:
        """Start the process; it must not be running.

        Raises:
            StartFailed: the program can't be run. Only restarts, with ``remain_after_exit``, are retried.
            UnknownUser: ``user`` does not exist.
        """
        self._stopping.clear()
        self._credentials = Credentials.of(self._config.user, "")
        await self._spawn()
        self._life = asyncio.create_task(self._run(), name=f"service {self._name}")

    async def stop(self, grace: float = math.inf) -> None:
        """Send SIGINT to the process group, SIGKILL after ``timeout_stop_sec``; return after the final exit.

        Idempotent; another call during the stop can only shorten it.

        Args:
            grace: maximum number of seconds, regardless of the config.
        """
        self._stopping.set()
        child, life = self._child, self._life
        was_running = self.running
        if child is not None and was_running:
            child.signal(signal.SIGINT)
            limit = min(self._config.timeout_stop_sec or TIMEOUT_STOP_SEC, grace)
            if await child.wait(limit) is None:
                self._log.warning("service did not stop in time and was killed", **self._fields(), timeout=limit)
                child.kill()
        if life is not None:
            await asyncio.wait([life])
            if self._life is life:  # only for the first of two concurrent stops
                self._life = None
                life.result()
                if was_running:
                    self._log.info("service was stopped", name=self._name, command=self.command)

    def info(self) -> WorkerInfo:
        """Data for ``informer`` and ``Statuses``; memory and CPU are 0 if the process is not running."""
        alive = self.running
        cpu_seconds = cpu_seconds_of(self.pid) if alive else 0.0
        age = time.monotonic() - self._started
        return WorkerInfo(
            pid=self.pid,
            status=1,
            num_execs=0,
            created=0,
            memory_usage=memory_of(self.pid) if alive else 0,
            cpu_percent=100.0 * cpu_seconds / age if age > 0 else 0.0,
            cpu_seconds=cpu_seconds,
            command=self.command,
            status_str="",
        )

    async def _run(self) -> None:
        while True:
            if self._child is not None:
                await self._until_exit(self._child)
            if not self._config.remain_after_exit or await self._stopped_within(
                self._config.restart_sec or RESTART_SEC
            ):
                return
            try:
                await self._spawn()
            except StartFailed as error:  # for example during a deployment; the next attempt may succeed
                self._log.error("service could not be started", **self._fields(), error=str(error))

    async def _stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    async def _spawn(self) -> None:
        self._child = None
        output = OutputReader(self._line)
        childs_end = await output.open()
        try:
            if self._stopping.is_set():
                output.close()
                return
            self._child = start_child(
                self._config.command,
                env=self._env,
                stdout=childs_end,
                stderr=childs_end,
                credentials=self._credentials,
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in the command, or `=` in the name of a variable
            output.close()
            self.how = ((error.strerror if isinstance(error, OSError) else "") or str(error)).lower()
            raise StartFailed(self._name, self._config.command, self.how) from error
        except BaseException:
            output.close()
            raise
        finally:
            os.close(childs_end)
        self.pid = self._child.pid
        self._output = output
        self._started = time.monotonic()
        self._log.info("service was started", name=self._name, command=self.command)

    async def _until_exit(self, child: Child) -> None:
        """Wait for the exit, killing the process after ``exec_timeout``, and log how it ended."""
        status = await child.wait(self._config.exec_timeout or None)
        timed_out = status is None
        if status is None:
            child.kill()
            status = await child.wait()
        assert status is not None  # without a timeout, the wait ends with the exit
        if self._output is not None:
            await asyncio.wait([self._output.closed], timeout=_OUTPUT_TIMEOUT)
            self._output.close()
        self.how = exit_text(status)
        if self._stopping.is_set():
            return
        if timed_out:
            self._log.error("wait", error=self.how, **self._fields(), exec_timeout=self._config.exec_timeout)
        elif status:
            self._log.error("wait", error=self.how, **self._fields())
        else:
            self._log.info("service has ended", **self._fields())

    def _fields(self) -> dict[str, str | int]:
        return {"name": self._name, "pid": self.pid}

    def _line(self, text: str) -> None:
        # RoadRunner logs whole chunks, trimmed. Here each line keeps its indentation, and blank lines are skipped.
        text = text.rstrip()
        if text:
            self._log.info(text)


def exit_text(status: int) -> str:
    """How a process ended, as Go writes it: ``exit status 1``, ``signal: killed``.

    Args:
        status: exit code, or the negative number of a signal.
    """
    if status >= 0:
        return f"exit status {status}"
    return f"signal: {(signal.strsignal(-status) or str(-status)).lower()}"
