"""The RPC service ``roadrunner``: what ``rr`` asks of the server as a whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

from pyroadrunner.container.process import ServerProcess, identity_of
from pyroadrunner.container.reload.reloader import Reloader
from pyroadrunner.contracts import HasRpc, Plugin, RpcMethod
from pyroadrunner.log import Log

_log = Log("endure")


class RemoteControl(Plugin, HasRpc):
    """``Reload``, ``Process`` and ``Stop``. A plugin that has nothing to start."""

    name = "roadrunner"

    def __init__(self, reloader: Reloader, process: ServerProcess) -> None:
        self._reloader = reloader
        self._process = process

    async def start(self) -> None:
        pass

    async def stop(self, grace: float) -> None:
        pass

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return {
            **self._reloader.rpc_methods(),
            "Process": RpcMethod(self._describe),
            "Stop": RpcMethod(self._stop),
        }

    def _describe(self, _: bool) -> dict[str, Any]:
        pid = self._process.pid
        return {"pid": pid, "identity": identity_of(pid), "folder": os.getcwd()}

    def _stop(self, _: bool) -> dict[str, Any]:
        """As SIGTERM does, and so a second time at once: the answer is on its way before the signal is acted on."""
        pid = self._process.pid
        _log.info("a client of RPC asks for a stop", pid=pid)
        os.kill(pid, signal.SIGTERM)
        return {"pid": pid}
