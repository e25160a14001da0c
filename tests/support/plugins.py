"""Plugins for tests of the container: they record their calls, and fail on request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint
from typing import Any, Optional

import msgspec

from pyroadrunner.config.effective import Leaf
from pyroadrunner.contracts import EffectiveConfig, HasRpc, HasTask, Plugin, PoolFactory, RpcMethod, Tracing, WorkerPool
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.workers.call_queue import QueuePolicy
from pyroadrunner.workers.config import PoolConfig

GROUP = "pyroadrunner.plugins"
ALWAYS = "pyroadrunner.plugins.always"


def entry(name: str, cls: str, group: str = GROUP) -> EntryPoint:
    """An entry point to a class of this module, or to any ``module:name``."""
    return EntryPoint(name, cls if ":" in cls else f"{__name__}:{cls}", group)


class Refused(RoadRunnerError):
    """The error of a fake plugin that fails on request."""


class Noting(Plugin):
    """Notes start, run and stop in a list shared by all; raises ``error`` at the moment named by ``failing``."""

    def __init__(self, name: str, notes: list[str], failing: str = "", error: Exception | None = None) -> None:
        self.name = name
        self.notes = notes
        self.graces: list[float] = []
        self._failing = failing
        self._error = error or Refused("told to fail")

    async def start(self) -> None:
        self._note("start")

    async def stop(self, grace: float) -> None:
        self.graces.append(grace)
        self._note("stop")

    def _note(self, moment: str) -> None:
        self.notes.append(f"{moment} {self.name}")
        if moment == self._failing:
            raise self._error


class Running(Noting, HasTask):
    """Runs until it is stopped, or fails at once (``failing="run"``)."""

    def __init__(self, name: str, notes: list[str], failing: str = "", error: Exception | None = None) -> None:
        super().__init__(name, notes, failing, error)
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        self._note("run")
        await self._stopped.wait()
        self.notes.append(f"ran {self.name}")

    async def stop(self, grace: float) -> None:
        self._stopped.set()
        await super().stop(grace)


class Endless(Noting, HasTask):
    """Its ``run`` never returns by itself."""

    async def run(self) -> None:
        await asyncio.Event().wait()


# -- classes for injection ---------------------------------------------------------------------------------------------


class FrontConfig(msgspec.Struct):
    """A section with defaults for all keys."""

    size: int = 7


class StrictConfig(msgspec.Struct):
    """A section with a required key."""

    size: int


class Quiet(Plugin):
    """Does nothing when started and stopped."""

    name = "quiet"

    async def start(self) -> None:
        return None

    async def stop(self, grace: float) -> None:
        return None


class Maker(Quiet, PoolFactory):
    """Keeps the promise of a ``PoolFactory``."""

    name = "maker"

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        raise NotImplementedError


class Front(Quiet):
    """Has a constructor argument of every kind."""

    name = "front"
    weight = 5

    def __init__(
        self, config: FrontConfig, pools: PoolFactory, rpc: Sequence[HasRpc], whole: EffectiveConfig, limit: int = 3
    ) -> None:
        self.config = config
        self.pools = pools
        self.rpc = rpc
        self.whole = whole
        self.limit = limit


class Answering(Quiet, HasRpc):
    """Keeps the promise of ``HasRpc``."""

    name = "answering"

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return {}


class Strict(Quiet):
    """Needs a section with a required key."""

    def __init__(self, config: StrictConfig) -> None:
        self.config = config


class Greedy(Quiet):
    """Needs a Protocol that no plugin implements."""

    def __init__(self, number: int) -> None:
        self.number = number


class Chicken(Quiet, PoolFactory):
    """Needs an egg, and is what an egg needs."""

    def __init__(self, egg: HasRpc) -> None:
        self.egg = egg

    async def create_pool(
        self, name: str, config: PoolConfig, env: Mapping[str, str], *, queue: QueuePolicy = QueuePolicy.FIFO
    ) -> WorkerPool:
        raise NotImplementedError


class Egg(Answering):
    """Needs a chicken."""

    def __init__(self, chicken: PoolFactory) -> None:
        self.chicken = chicken


class Easygoing(Quiet):
    """Uses a section, a maker of pools and a tracer, each if there is one."""

    name = "easygoing"
    weight = 50

    def __init__(
        self,
        config: FrontConfig | None,
        pools: PoolFactory | None,
        tracing: Optional[Tracing] = None,  # noqa: UP045  # an older way to write the same
        number: int | None = 3,
    ) -> None:
        self.config = config
        self.pools = pools
        self.tracing = tracing
        self.number = number


class Undeclared(Quiet):
    """Has methods with the names of two Protocols, and inherits neither."""

    name = "undeclared"

    async def run(self) -> None:
        raise AssertionError("not to be called")

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        raise AssertionError("not to be called")


class Unfinished(Quiet, HasRpc, PoolFactory):
    """Promises more than it has."""

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return {}


class Nameless(Plugin):
    """Forgot its name."""

    async def start(self) -> None:
        return None

    async def stop(self, grace: float) -> None:
        return None


class NoPlugin:
    """Has start and stop, and inherits nothing."""

    name = "no"

    async def start(self) -> None:
        return None

    async def stop(self, grace: float) -> None:
        return None


class WholeConfig:
    """The whole config of a test."""

    def as_dict(self) -> dict[str, Any]:
        return {"whole": True}

    def leaves(self) -> Sequence[Leaf]:
        return ()

    experimental = False

    def section(self, name: str) -> msgspec.Struct | None:
        return None


not_a_class = 5
