"""What the server says about its workers at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.cli.plugin_names import chosen
from pyroadrunner.cli.plugin_workers import plugin_workers
from pyroadrunner.cli.rpc_client import CallFailed, RpcClient


@dataclass(frozen=True, slots=True)
class PluginView:
    """One plugin.

    Attributes:
        name: of the plugin.
        workers: as :func:`plugin_workers` gives them, by pid.
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
        workers = plugin_workers(server, name)
        jobs = server.call("informer.Jobs", name) or []
    except CallFailed as error:
        return PluginView(name, error=str(error))
    return PluginView(name, sorted(workers, key=lambda worker: worker["pid"]), jobs)
