"""The ``status`` plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyroadrunner.admin.server import LIMITS, AdminServer
from pyroadrunner.contracts import (
    HasAddresses,
    HasMonitoringPages,
    HasPipelines,
    HasRpc,
    HasStatus,
    HasStatusMessage,
    HasStopHook,
    Plugin,
    RpcMethod,
    ServedAddress,
)
from pyroadrunner.log import Log
from pyroadrunner.net.address import parse_address
from pyroadrunner.plugins.status.checks import Check, Checks
from pyroadrunner.plugins.status.config import StatusConfig
from pyroadrunner.plugins.status.errors import NoSuchPlugin
from pyroadrunner.plugins.status.pages import Pages
from pyroadrunner.proto.status.v1 import status_pb2 as pb

log = Log("status")


class StatusPlugin(Plugin, HasStopHook, HasRpc, HasAddresses):
    """Reports the status of plugins until all others have stopped."""

    name = "status"
    weight = 950  # only the log starts earlier and stops later, so that probes always get a response

    def __init__(
        self,
        config: StatusConfig,
        plugins: Sequence[HasStatus],
        queues: Sequence[HasPipelines] = (),
        messages: Sequence[HasStatusMessage] = (),
        pages: Sequence[HasMonitoringPages] = (),
    ) -> None:
        code = config.unavailable_status_code
        self._checks = Checks(plugins, code, config.check_timeout, messages)
        self._pages = Pages(self._checks, code, queues, pages)
        limits = replace(LIMITS, head_timeout=config.check_timeout)
        self._server = AdminServer(
            parse_address(config.address, default_scheme="tcp"), "status.address", self._pages.answer, log, limits
        )

    def __repr__(self) -> str:
        return f"StatusPlugin({self._server!r}, stopping={self._pages.stopping})"

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the address is not available.
        """
        await self._server.start()

    def on_stopping(self) -> None:
        """The server begins to stop: still healthy, no longer ready."""
        self._pages.stopping = True

    async def stop(self, grace: float) -> None:
        """Finish running requests, then close."""
        await self._server.stop(grace)

    def addresses(self) -> Sequence[ServedAddress]:
        return [ServedAddress(kind=self.name, address=self._server.address.short, key="status.address")]

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        """``Status`` and ``Ready`` of one plugin."""

        async def answer(check: Check, name: str) -> pb.Response:
            code = await self._checks.code(check, name)
            if code is None:
                raise NoSuchPlugin(check.value, name)
            return pb.Response(code=code)

        async def status(request: pb.Request) -> pb.Response:
            return await answer(Check.HEALTH, request.plugin)

        async def ready(request: pb.Request) -> pb.Response:
            return await answer(Check.READY, request.plugin)

        return {"Status": RpcMethod(status, message=pb.Request), "Ready": RpcMethod(ready, message=pb.Request)}
