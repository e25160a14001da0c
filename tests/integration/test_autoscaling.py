"""``pool.dynamic_allocator`` with real workers under load: up, down, and no request fails."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from pyroadrunner.workers.pool import Pool
from support.load import Load
from support.log import logged
from support.php import require_php
from support.pools import ANY_WORKER, run, running_pool, spawner, text, until
from support.server import Server, rr

HTTP_WORKER = ANY_WORKER.with_name("http.php")
QUICK = {"scale_up_wait": "20ms", "idle_timeout": "1s"}


def test_a_server_grows_under_load_is_reset_while_grown_and_shrinks_and_no_request_fails(tmp_path: Path) -> None:
    allocator = {**QUICK, "max_workers": 4, "spawn_rate": 2}
    config = {
        "server": {"command": [require_php(), str(HTTP_WORKER)]},
        "http": {"pool": {"num_workers": 1, "dynamic_allocator": allocator}},
        "logs": {"level": "debug", "mode": "production", "output": "stderr"},
    }
    with Server(tmp_path, config) as server:
        with Load(server.address, "/slow?ms=50", threads=12) as load:
            grown = server.wait_for_workers(5)
            load.wait_for_more(50)
            assert rr("reset", "http", cwd=tmp_path).code == 0
            assert not grown & server.wait_for_workers(5)
            load.wait_for_more(20)
        with Load(server.address, "/pid", threads=1) as calm:
            server.wait_for_workers(1)
        with Load(server.address, "/slow?ms=50", threads=12) as again:
            server.wait_for_workers(5)
        assert load.failures + calm.failures + again.failures == []
        steps = [line["removed"] for line in map(json.loads, server.stderr.splitlines()) if "removed" in line]
        assert steps == [2, 2]


async def settled(pool: Pool, count: int) -> bool:
    infos = await pool.workers()
    return [info.status_str for info in infos] == ["ready"] * count


def test_workers_that_can_not_be_added_affect_no_request_and_are_retried(tmp_path: Path) -> None:
    command = ["sh", "-c", f"test ! -e {tmp_path}/broken && exec {require_php()} {ANY_WORKER}; echo no >&2; exit 3"]

    async def main() -> None:
        allocator = {**QUICK, "max_workers": 2}
        async with running_pool(spawner(command), num_workers=1, dynamic_allocator=allocator) as pool:
            (tmp_path / "broken").touch()
            with logged("server") as log:
                requests = [asyncio.create_task(text(pool, f"wait-for {tmp_path}/go")) for _ in range(4)]

                async def refused() -> bool:
                    return "workers could not be added" in log.messages

                await until(refused)
                assert "exit code 3" in log.of("workers could not be added")[0]["error"]
                stats = await pool.stats()
                assert (stats.queued, stats.added, stats.scale_ups) == (3, 0, 0)
                assert stats.waiting > 0.02
                (tmp_path / "broken").unlink()

                async def grown() -> bool:
                    return (await pool.stats()).added == 2

                await until(grown)
            (tmp_path / "go").touch()
            assert len(set(await asyncio.gather(*requests))) == 3
            stats = await pool.stats()
            assert (stats.queued, stats.waited, stats.scale_ups) == (0, 3, 2)
            assert stats.waited_longest >= stats.wait_of(0.5) > 0.02
            await until(lambda: settled(pool, 1))
            assert (await pool.stats()).scale_downs == 2

    run(main())


def test_a_worker_that_was_started_before_a_reset_does_not_join_after_it(tmp_path: Path) -> None:
    """It runs the old code."""
    (tmp_path / "version").write_text("1")
    script = (
        f"cd {tmp_path}; V=$(cat version); export V; test $V = 2 || test ! -e hold || touch held; "
        f"while test $V = 1 && test -e hold; do sleep 0.01; done; exec {require_php()} {ANY_WORKER}"
    )

    async def main() -> None:
        async with running_pool(spawner(["sh", "-c", script]), num_workers=1, dynamic_allocator=QUICK) as pool:
            (tmp_path / "hold").touch()
            requests = [asyncio.create_task(text(pool, f"wait-for {tmp_path}/go")) for _ in range(3)]

            async def being_started() -> bool:
                return (tmp_path / "held").exists()

            await until(being_started)
            (tmp_path / "version").write_text("2")
            reset = asyncio.create_task(pool.reset())
            for _ in range(3):
                await asyncio.sleep(0)  # it has begun
            (tmp_path / "hold").unlink()

            async def grown() -> bool:
                return (await pool.stats()).added >= 1

            await until(grown)
            (tmp_path / "go").touch()
            await asyncio.gather(*requests)
            await reset
            count = len(await pool.workers())
            versions = await asyncio.gather(*(text(pool, "env V") for _ in range(20 * count)))
            assert set(versions) == {"2"}

    run(main())
