"""Health and metrics of the running plugin."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.plugin import HttpPlugin
from pyroadrunner.workers.info import WorkerInfo
from support.plugins import Maker
from support.rpc import FakeEffective, FakePool, worker


class CostlyPool(FakePool):
    """A pool whose memory and CPU stats need two files of /proc per worker."""

    async def workers(self) -> list[WorkerInfo]:
        raise AssertionError("a probe needs no figures of the workers' processes")


class Started(HttpPlugin):
    def __init__(self, *pools: FakePool) -> None:
        super().__init__(HttpConfig(), Maker(), FakeEffective())
        self._pools = {pool.name: pool for pool in pools}


def status(*pools: FakePool) -> tuple[bool, bool]:
    """The values of ``healthy`` and ``ready``."""

    async def main() -> tuple[bool, bool]:
        plugin = Started(*pools)
        return await plugin.healthy(), await plugin.ready()

    return asyncio.run(main())


def test_probes_check_only_the_states_of_workers() -> None:
    ready, working, errored = worker(1), worker(2, status=2), worker(3, status=8)
    assert status(CostlyPool("http", [working, ready])) == (True, True)
    assert status(CostlyPool("http", [working, errored])) == (True, False)
    assert status(CostlyPool("http", [errored])) == (False, False)
    assert status() == (False, False)


def test_each_route_needs_a_running_worker_but_may_be_busy() -> None:
    default = CostlyPool("http", [worker(1)])
    assert status(default, CostlyPool("http.slow", [worker(2, status=2)])) == (True, True)
    assert status(default, CostlyPool("http.slow", [worker(2, status=8)])) == (False, True)


def test_requests_in_flight_are_counted_without_them_too() -> None:
    async def main() -> float:
        families = await Started(CostlyPool("http", [worker(1, status=2), worker(2)])).metrics()
        return next(family for family in families if family.name == "rr_http_requests_queue").samples[0].value

    assert asyncio.run(main()) == 1
