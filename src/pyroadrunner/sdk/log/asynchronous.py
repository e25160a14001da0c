"""The asyncio client of the service ``app``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncAppLogger:
    """The server's log, channel ``app``.

    Args:
        rpc: the connection; ``None`` = one of its own.

    Everything is as in :class:`~pyroadrunner.sdk.log.AppLogger`, and awaited. Use it from one event loop.
    """

    def __init__(self, rpc: AsyncRpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else AsyncRpcClient()

    def __repr__(self) -> str:
        return f"AsyncAppLogger({self._rpc!r})"

    async def __aenter__(self) -> AsyncAppLogger:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up. Idempotent; a later call connects anew."""
        await self._rpc.close()

    async def error(self, message: str, /, **context: object) -> None:
        """A line of level ``error``."""
        await self._write("Error", message, context)

    async def warning(self, message: str, /, **context: object) -> None:
        """A line of level ``warn``."""
        await self._write("Warning", message, context)

    async def info(self, message: str, /, **context: object) -> None:
        """A line of level ``info``."""
        await self._write("Info", message, context)

    async def debug(self, message: str, /, **context: object) -> None:
        """A line of level ``debug``."""
        await self._write("Debug", message, context)

    async def log(self, message: str, /) -> None:
        """To the server's stderr as it is: no line break, whatever the section ``logs`` says."""
        await self._rpc.call("app.Log", message)

    async def _write(self, method: str, message: str, context: Mapping[str, object]) -> None:
        if not context:
            await self._rpc.call(f"app.{method}", message)
            return
        from pyroadrunner.sdk.log import messages  # protobuf costs time and megabytes

        await self._rpc.call_message(f"app.{method}WithContext", messages.entry(message, context), messages.Response)
