"""Runs cases of Autobahn's test suite against a WebSocket server; prints a JSON object: behaviour by case.

    python -m support.autobahn ws://127.0.0.1:8080/ 1.* 2.*

A process of its own, since the runner may abort at its exit, after its results.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence


async def run(url: str, cases: Sequence[str]) -> dict[str, str]:
    """Run the cases; returns Autobahn's name of each behaviour, and that of the close if it is worse."""
    import kosoku

    try:
        results = await kosoku.run_fuzzingclient(url, cases=list(cases), concurrency=2)
    except kosoku.FailureError as failed:
        results = failed.results
    return {
        one.case_id: "OK" if one.passed else f"{_name(one.behavior)}/{_name(one.behavior_close)}" for one in results
    }


def _name(behavior: object) -> str:
    return str(behavior).rpartition(".")[2]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2:]))), flush=True)
    os._exit(0)
