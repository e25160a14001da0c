"""The RPC service ``roadrunner``: calls of ``rr`` that concern the whole server."""

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
    """``Reload``, ``Process`` and ``Stop``. A plugin whose start and stop do nothing."""

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
        """Stop like SIGTERM; a second call stops immediately. The reply is sent before the signal is handled."""
        pid = self._process.pid
        _log.info("stop requested by an RPC client", pid=pid)
        os.kill(pid, signal.SIGTERM)
        return {"pid": pid}
