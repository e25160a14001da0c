"""The ``temporal`` plugin with a real Temporal server and a PHP worker: every feature, live and replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support.brokers import Brokers
from support.temporal import running, shared_temporal
from support.temporal_scenarios import play, shown


@pytest.fixture(scope="session")
def address(brokers: Brokers) -> str:
    return str(brokers.use("temporal", shared_temporal)["address"])


@pytest.mark.parametrize("cache_size", [1000, 2, -1])
def test_every_feature_works_and_its_history_fits_the_code(tmp_path: Path, address: str, cache_size: int) -> None:
    """With all runs in memory, with constant evictions, and with none in memory."""

    async def check() -> None:
        async with running(tmp_path, address, cache_size=cache_size, activities={"num_workers": 6}) as runs:
            faults = await play(runs)
            assert not faults, shown(faults)
            faults = await runs.replay_all()
            assert not faults, shown(faults)

    asyncio.run(check())
