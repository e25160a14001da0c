"""Ask the running server for the workers of one plugin, with all details."""

from __future__ import annotations

from typing import Any

from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed


def plugin_workers(client: RpcClient, name: str, *, timeout: float | None = None) -> list[dict[str, Any]]:
    """The reply of ``informer.WorkerDetails``, or of ``informer.Workers`` if the server has only that (an older
    version, or RoadRunner itself).

    Args:
        timeout: seconds per reply; ``None`` = the client's default.

    Raises:
        Unreachable, CallFailed.
    """
    limit = {} if timeout is None else {"timeout": timeout}
    try:
        answer = client.call("informer.WorkerDetails", name, **limit)
    except CallFailed as error:
        if "can't find method" not in str(error):
            raise
        answer = client.call("informer.Workers", name, **limit)
    workers: list[dict[str, Any]] = answer["workers"] or []
    return workers
