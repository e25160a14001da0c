"""What the server says about its workers at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyroadrunner.cli.rpc_client import CallFailed, RpcClient
from pyroadrunner.errors import RoadRunnerError


class UnknownPlugin(RoadRunnerError):
    """A name no plugin with workers has."""

    def __init__(self, names: Sequence[str], known: Sequence[str]) -> None:
        has = f"the server has: {', '.join(sorted(known))}" if known else "the server runs none that has workers"
        super().__init__(f"no such plugin: {', '.join(names)}; {has}")


@dataclass(frozen=True, slots=True)
class PluginView:
    """One plugin.

    Attributes:
        name: of the plugin.
        workers: as ``informer.Workers`` gives them, by pid.
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
    known: list[str] = server.call("informer.List")
    unknown = [name for name in plugins if name not in known]
    if unknown:
        raise UnknownPlugin(unknown, known)
    return [_view(server, name) for name in dict.fromkeys(plugins or sorted(known))]


def _view(server: RpcClient, name: str) -> PluginView:
    try:
        workers = server.call("informer.Workers", name)["workers"] or []
        jobs = server.call("informer.Jobs", name) or []
    except CallFailed as error:
        return PluginView(name, error=str(error))
    return PluginView(name, sorted(workers, key=lambda worker: worker["pid"]), jobs)
