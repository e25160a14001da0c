"""Measure the pool alone: two PHP workers, 32 callers, no HTTP. Prints requests/s and the server's CPU per request.

.venv/bin/python bench/pool.py [REQUESTS]
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from asyncio import gather
from pathlib import Path

import uvloop

from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.payload import Codec, Payload
from pyroadrunner.workers.pool import Pool
from pyroadrunner.workers.spawn import Spawner

ROOT = Path(__file__).parents[1]
WORKER = ROOT / "tests" / "support" / "workers" / "any.php"
CALLERS = 32


async def main(requests: int) -> None:
    php = shutil.which("php") or sys.exit("php is not installed")
    spawner = Spawner([php, str(WORKER)], {**os.environ, "RR_RELAY": "pipes"}, pool="bench", timeout=10)
    pool = Pool("bench", PoolConfig(num_workers=2), spawner)
    await pool.start()
    payload = Payload(b'{"method":"GET","uri":"http://127.0.0.1/"}', b"echo hello", Codec.RAW)
    left = requests

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await pool.exec(payload)

    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await gather(*(caller() for _ in range(CALLERS)))
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{requests / seconds:,.0f} requests/s, {cpu / requests * 1e6:.1f} us of server CPU per request")
    await pool.destroy(5.0)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
