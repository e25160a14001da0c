"""One attempt at a registry after the other, for ever: the policy of all tasks and drivers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from pyroadrunner.plugins.discovery.backoff import LONGEST_WAIT, wait_after
from pyroadrunner.plugins.discovery.drivers.contract import RegistryError, RegistryRefused
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.standing import Standing, State, log

_REQUESTS = 4  # an attempt has so many times the timeout of a request


class IdTaken(RegistryError):
    """Another live server has the id of this one."""


class Task:
    """Repeats an operation.

    Args:
        part: its name, for the state and the metrics.
        step: the operation; raises :class:`RegistryError`.
        interval: seconds between the beginnings of two successful attempts.
        timeout: seconds for one request.
        jitter: a random number of 0 to 1.
    """

    def __init__(
        self,
        part: str,
        step: Callable[[], Awaitable[None]],
        interval: float,
        timeout: float,
        standing: Standing,
        figures: Figures,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._part = part
        self._step = step
        self._interval = interval
        self._timeout = timeout * _REQUESTS
        self._standing = standing
        self._figures = figures
        self._jitter = jitter
        self._failures = 0

    async def run(self) -> None:
        """Repeat the operation until the task is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            wait = await self.attempt()
            await asyncio.sleep(wait if self._failures else max(0.0, began + wait - loop.time()))

    async def attempt(self) -> float:
        """Do it once; returns the seconds to wait."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._step()
        except IdTaken as error:
            return self._failed(State.TAKEN, str(error), self._interval)
        except RegistryRefused as error:
            return self._failed(State.FAILED, str(error), LONGEST_WAIT * (0.75 + self._jitter() / 2))
        except RegistryError as error:
            return self._failed(State.CONNECTING, str(error))
        except TimeoutError:
            return self._failed(State.CONNECTING, f"no answer within {self._timeout:g} s")
        except Exception as error:  # a bug of a driver or of its library: the server must come back nevertheless
            log.debug("bug in a driver", part=self._part, error=repr(error))
            return self._failed(State.CONNECTING, f"{type(error).__name__}: {error}")
        self._failures = 0
        self._figures.count(self._part, good=True)
        self._standing.good(self._part)
        # A little earlier or later, so that the servers of a cluster do not ask in one moment.
        return self._interval * (0.9 + self._jitter() / 10)

    def _failed(self, state: State, error: str, wait: float | None = None) -> float:
        self._failures += 1
        self._figures.count(self._part, good=False)
        self._standing.bad(self._part, state, error)
        return wait_after(self._failures, self._jitter()) if wait is None else wait
