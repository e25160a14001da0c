"""The workers of one plugin of the running server, with all it knows of them."""

from __future__ import annotations

from typing import Any

from pyroadrunner.cli.rpc_client import CallFailed, RpcClient


def plugin_workers(client: RpcClient, name: str, *, timeout: float | None = None) -> list[dict[str, Any]]:
    """As ``informer.WorkerDetails`` gives them; as ``informer.Workers`` where the server has only that (an older
    version, or RoadRunner itself).

    Args:
        timeout: seconds for each answer; ``None`` = the client's.

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
