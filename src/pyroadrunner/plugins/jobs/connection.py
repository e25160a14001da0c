"""The connection of a pipeline to its broker: the one reconnect policy of all drivers.

It connects in the background and again whenever the connection breaks, for ever, with growing waits between the
attempts. A driver only connects once and reports a loss; see ``drivers/contract.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import Enum

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, Driver
from pyroadrunner.plugins.jobs.errors import NotConnected, PipelineClosed

FIRST_WAIT, LONGEST_WAIT = 0.1, 15.0  # seconds between two attempts
REFUSED_WAIT = 15.0  # after an error that only a person can remove
STEADY_AFTER = 10.0  # a connection that lived for so long is retried at once
ATTEMPT_TIMEOUT = 30.0
CLOSE_TIMEOUT = 5.0  # a broker that does not answer must not hold up a stop

log = Log("jobs")


class State(Enum):
    """The state of a connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


class Connection:
    """Keeps a driver connected.

    Attributes:
        state: of the connection. After the first failed attempt it stays ``connecting`` until one succeeds;
            ``failed`` means that the broker refuses the settings.
        error: of the last attempt or connection; empty while connected.
        epoch: number of the connection, from 1 on.

    Args:
        on_connected: called with each new connection, before it counts as one; it consumes, if the pipeline wants that.
        jitter: a random number of 0 to 1.
    """

    def __init__(
        self,
        name: str,
        driver: Driver,
        on_connected: Callable[[], Awaitable[None]],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.state = State.CONNECTING
        self.error = ""
        self.epoch = 0
        self._name = name
        self._driver = driver
        self._on_connected = on_connected
        self._jitter = jitter
        self._connected = asyncio.Event()
        self._attempted = asyncio.Event()
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Connection({self._name!r}, {self.state.value}{f': {self.error}' if self.error else ''})"

    @property
    def connected(self) -> bool:
        return self.state is State.CONNECTED

    def start(self) -> None:
        """Begin to connect. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"jobs connection {self._name}")

    async def stop(self) -> None:
        """Disconnect. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self.state = State.CLOSED
        self._connected.set()  # pushes that wait fail now
        await self._disconnect()

    def lost(self, why: str) -> None:
        """The driver reports that its connection broke."""
        if self.connected:
            self._fall(why)
        self._lost.set()

    async def attempted(self) -> None:
        """Wait for the end of the first attempt."""
        await self._attempted.wait()

    async def wait(self) -> None:
        """Wait until there is a connection.

        Raises:
            PipelineClosed: there will be none.
        """
        await self._connected.wait()
        if self.state is State.CLOSED:
            raise PipelineClosed(self._name)

    def not_connected(self, waited: float) -> NotConnected:
        """The error for those who have waited in vain."""
        return NotConnected(self._name, waited, f"{self.state.value}{f': {self.error}' if self.error else ''}")

    # inside

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            self._lost.clear()
            wait = await self._attempt(failures)
            self._attempted.set()
            if wait is None:
                began = loop.time()
                await self._lost.wait()
                failures = 0 if loop.time() - began >= STEADY_AFTER else failures + 1
                wait = self._backoff(failures)
            else:
                failures += 1
            await self._disconnect()
            await asyncio.sleep(wait)

    async def _attempt(self, failures: int) -> float | None:
        """Connect once; ``None`` after a success, otherwise how long to wait."""
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT):
                await self._driver.connect()
                self.epoch += 1
                await self._on_connected()
        except BrokerRefused as error:
            self._report(State.FAILED, str(error), failures)
            return REFUSED_WAIT * (0.75 + self._jitter() / 2)
        except BrokerError as error:
            self._report(State.CONNECTING, str(error), failures)
        except TimeoutError:
            self._report(State.CONNECTING, f"the broker did not answer within {ATTEMPT_TIMEOUT:g} s", failures)
        except Exception as error:  # a bug of a driver or of its library: the pipeline must come back nevertheless
            self._report(State.CONNECTING, f"{type(error).__name__}: {error}", failures)
        else:
            if not self._lost.is_set():
                self.state, self.error = State.CONNECTED, ""
                self._connected.set()
                if failures or self.epoch > 1:
                    log.info("pipeline is connected again", pipeline=self._name)
                return None
            self._report(State.CONNECTING, self.error or "the connection was lost", failures)
        return self._backoff(failures)

    async def _disconnect(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._driver.disconnect()
        except TimeoutError:
            log.warning("pipeline could not close its connection in time", pipeline=self._name, seconds=CLOSE_TIMEOUT)
        except Exception as error:  # a bug of a driver or of its library: the pipeline must come back nevertheless
            log.error("pipeline could not close its connection", pipeline=self._name, error=repr(error))

    def _backoff(self, failures: int) -> float:
        """Seconds to wait; half of it is random, so that many pipelines do not come back in one moment."""
        longest: float = min(FIRST_WAIT * 2.0 ** min(failures, 20), LONGEST_WAIT)
        return longest / 2 + longest / 2 * self._jitter()

    def _report(self, state: State, why: str, failures: int) -> None:
        if failures == 0 or why != self.error or state is not self.state:
            log.error("pipeline has no connection to its broker; retrying", pipeline=self._name, error=why)
        self.state, self.error = state, why

    def _fall(self, why: str) -> None:
        self.state, self.error = State.CONNECTING, why
        self._connected.clear()
        log.warning("pipeline lost the connection to its broker", pipeline=self._name, error=why)
