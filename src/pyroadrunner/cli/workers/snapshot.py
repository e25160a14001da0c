"""What the server says about its workers at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.cli.plugin_names import chosen
from pyroadrunner.cli.rpc_client import CallFailed, RpcClient


@dataclass(frozen=True, slots=True)
class PluginView:
    """One plugin.

    Attributes:
        name: of the plugin.
        workers: as ``informer.WorkerDetails`` gives them, by pid; as ``informer.Workers`` does where the server has
            only that.
        jobs: its pipelines, as ``informer.Jobs`` gives them; empty where it has none.
        error: why its workers are not known; else empty.
    """

    name: str
    workers: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


def take(server: RpcClient, plugins: Sequence[str]) -> list[PluginView]:
    """Ask for the named plugins, or all that have workers.

    Raises:
        Unreachable: the server has gone.
        UnknownPlugin.
    """
    return [_view(server, name) for name in chosen(plugins, server.call("informer.List"))]


def _view(server: RpcClient, name: str) -> PluginView:
    try:
        workers = _workers(server, name)
        jobs = server.call("informer.Jobs", name) or []
    except CallFailed as error:
        return PluginView(name, error=str(error))
    return PluginView(name, sorted(workers, key=lambda worker: worker["pid"]), jobs)


def _workers(server: RpcClient, name: str) -> list[dict[str, Any]]:
    try:
        answer = server.call("informer.WorkerDetails", name)
    except CallFailed as error:
        if "can't find method" not in str(error):
            raise
        answer = server.call("informer.Workers", name)  # an older version, or RoadRunner itself
    workers: list[dict[str, Any]] = answer["workers"] or []
    return workers
