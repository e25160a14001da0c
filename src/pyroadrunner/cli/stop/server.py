"""The server to stop: the process in ``.pid``, or the one at the RPC address of the config."""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

from pyroadrunner.cli.plugin_workers import plugin_workers
from pyroadrunner.cli.stop.process import NotThere, Process
from pyroadrunner.container.process import identity_of
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed, Unreachable

_PATIENCE = 1.0  # seconds for a reply: showing progress must not delay the wait


class Server(Protocol):
    """The server as ``rr stop`` sees it.

    Attributes:
        pid: its process id, in its own pid namespace.
    """

    pid: int

    def ask(self) -> None:
        """Ask for a stop; the second time for an immediate one. Does nothing if the server has exited."""

    def ended_within(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the exit; return whether the server has exited."""


class LocalServer:
    """A server that is a process of this machine.

    Raises:
        NotThere
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._process = Process(pid)

    def ask(self) -> None:
        self._process.terminate()

    def ended_within(self, seconds: float) -> bool:
        return self._process.ended_within(seconds)


class CalledServer:
    """A server that is asked over RPC. It has exited when its process has. If it runs in another container or on
    another machine, it has exited when it no longer answers.

    Args:
        folder: the folder it must work in; empty = any.

    Raises:
        RoadRunnerError: no server answers, it can't be stopped over RPC, or it works in another folder.
    """

    def __init__(self, client: RpcClient, folder: str = "") -> None:
        self._client = client
        try:
            told = client.call("roadrunner.Process")
        except CallFailed as refused:
            raise RoadRunnerError(f"the server at {client.address} can't be stopped over RPC: {refused}") from refused
        if folder and os.path.realpath(told["folder"]) != os.path.realpath(folder):
            raise RoadRunnerError(
                f"the server at {client.address} works in {told['folder']}: run rr stop there, or name its config (-c)"
            )
        self.pid = int(told["pid"])
        self._process: Process | None = None
        if told["identity"] and told["identity"] == identity_of(self.pid):
            try:
                self._process = Process(self.pid)
            except NotThere:
                pass

    def ask(self) -> None:
        try:
            self._client.call("roadrunner.Stop")
        except Unreachable:  # it has exited, or exits without a reply
            if not self.ended_within(_PATIENCE):
                raise

    def ended_within(self, seconds: float) -> bool:
        if self._process is not None:
            return self._process.ended_within(seconds)
        time.sleep(seconds)
        try:
            self._client.call("rpc.Version", timeout=_PATIENCE)
        except Unreachable:
            return True
        return False


def workers_of(client: RpcClient, pid: int) -> list[dict[str, Any]] | None:
    """All workers and processes of the server; ``None`` if it does not reply, or another server does."""
    try:
        if client.call("roadrunner.Process", timeout=_PATIENCE)["pid"] != pid:
            return None
        names = client.call("informer.List", timeout=_PATIENCE)
        found = [plugin_workers(client, name, timeout=_PATIENCE) for name in names]
    except RoadRunnerError:
        return None
    return [worker for workers in found for worker in workers]
