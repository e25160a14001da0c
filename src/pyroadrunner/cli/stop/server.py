"""A server to stop: the process named in ``.pid``, or the one that answers RPC calls where the config says."""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

from pyroadrunner.cli.plugin_workers import plugin_workers
from pyroadrunner.cli.rpc_client import CallFailed, RpcClient, Unreachable
from pyroadrunner.cli.stop.process import NotThere, Process
from pyroadrunner.container.process import identity_of
from pyroadrunner.errors import RoadRunnerError

_PATIENCE = 1.0  # seconds for an answer: what is shown must not hold up what is waited for


class Server(Protocol):
    """What ``rr stop`` does with it.

    Attributes:
        pid: its process id, where it runs.
    """

    pid: int

    def ask(self) -> None:
        """To stop; a second time: at once. Nothing happens when it has ended."""

    def ended_within(self, seconds: float) -> bool:
        """Whether it has ended; waits for that so long."""


class LocalServer:
    """A process of this machine.

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
    """A server that is asked over RPC. It has ended when its process has; where it runs in another container or on
    another machine, when it answers no more.

    Args:
        folder: where it has to run; empty = anywhere.

    Raises:
        RoadRunnerError: nobody answers, it can't be stopped over RPC, or it runs elsewhere.
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
        except Unreachable:  # it has ended, or does so without an answer
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
    """Every worker and process the server has; ``None`` when it does not answer, or another one does."""
    try:
        if client.call("roadrunner.Process", timeout=_PATIENCE)["pid"] != pid:
            return None
        names = client.call("informer.List", timeout=_PATIENCE)
        found = [plugin_workers(client, name, timeout=_PATIENCE) for name in names]
    except RoadRunnerError:
        return None
    return [worker for workers in found for worker in workers]
