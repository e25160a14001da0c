"""What the keys of ``rr top`` do to the server. Each action has its own connection, so that it never waits for a
question of the poller."""

from __future__ import annotations

from typing import Any

from pyroadrunner.net.address import Address
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed

_UNKNOWN_METHOD = "can't find method"


class Actions:
    """Every method returns a sentence that says what was done.

    Raises:
        Unreachable, CallFailed.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    def reset(self, pool: str) -> str:
        """Replace all workers of a pool, or all processes of a plugin without pools."""
        self._call("resetter.Reset", pool)
        return f"{pool}: all workers were replaced"

    def add_worker(self, pool: str) -> str:
        self._call("informer.AddWorker", pool)
        return f"{pool}: a worker was added"

    def remove_worker(self, pool: str) -> str:
        self._call("informer.RemoveWorker", pool)
        return f"{pool}: a worker was removed; the last one always stays"

    def restart_worker(self, pid: int) -> str:
        self._call("informer.RestartWorker", pid)
        return f"worker {pid} is being replaced; it finishes its call first"

    def kill_worker(self, pid: int) -> str:
        self._call("informer.KillWorker", pid)
        return f"worker {pid} was killed"

    def pause(self, pipeline: str) -> str:
        self._call("jobs.Pause", {"pipelines": [pipeline]})
        return f"{pipeline}: paused; jobs can still be pushed"

    def resume(self, pipeline: str) -> str:
        self._call("jobs.Resume", {"pipelines": [pipeline]})
        return f"{pipeline}: resumed"

    def _call(self, method: str, argument: Any) -> None:
        with RpcClient(self._address) as server:
            try:
                server.call(method, argument, timeout=None)
            except CallFailed as error:
                if _UNKNOWN_METHOD not in str(error):
                    raise
                raise CallFailed(f"this server can't do that ({method}): update it, and restart it") from error
