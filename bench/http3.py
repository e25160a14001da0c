"""Measure the speed of HTTP/3. Run by hand: ``python -m bench.http3 PORT ROOT.pem SECONDS``, against a running ``rr
serve -e``.

Prints requests per second of one connection with 32 concurrent requests. The client is aioquic too and needs as much
CPU as the server, so give it its own processor.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.http3 import http3

_AT_A_TIME = 32


async def _measure(port: int, root: Path, seconds: float) -> float:
    done = 0
    async with http3(port, root) as client:
        until = time.monotonic() + seconds

        async def ask() -> None:
            nonlocal done
            while time.monotonic() < until:
                answer = await client.ask()
                assert answer.status == 200
                done += 1

        await asyncio.gather(*(ask() for _ in range(_AT_A_TIME)))
    return done / seconds


if __name__ == "__main__":
    print(f"{uvloop.run(_measure(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))):.0f} requests a second")
