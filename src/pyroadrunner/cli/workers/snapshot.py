"""Ask the server for the current state of its workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.cli.plugin_names import chosen
from pyroadrunner.cli.plugin_workers import plugin_workers
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed


@dataclass(frozen=True, slots=True)
class PluginView:
    """The workers and pipelines of one plugin.

    Attributes:
        name: name of the plugin.
        workers: the result of :func:`plugin_workers`, sorted by pid.
        jobs: its pipelines, from ``informer.Jobs``; may be empty.
        error: why its workers could not be read; else empty.
    """

    name: str
    workers: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""


def take(server: RpcClient, plugins: Sequence[str]) -> list[PluginView]:
    """Ask the server for the named plugins, or for all that have workers.

    Raises:
        Unreachable: the server does not answer.
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
