"""The asyncio client of the service ``app``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from pyroadrunner.sdk.rpc import AsyncRpcClient


class AsyncAppLogger:
    """The server's log, channel ``app``.

    Args:
        rpc: the connection; ``None`` = a new one.

    Like :class:`~pyroadrunner.sdk.log.AppLogger`, with coroutines. Use it from one event loop.
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
        """Close the connection. Idempotent; a later call connects again."""
        await self._rpc.close()

    async def error(self, message: str, /, **context: object) -> None:
        """Write a line of level ``error``."""
        await self._write("Error", message, context)

    async def warning(self, message: str, /, **context: object) -> None:
        """Write a line of level ``warn``."""
        await self._write("Warning", message, context)

    async def info(self, message: str, /, **context: object) -> None:
        """Write a line of level ``info``."""
        await self._write("Info", message, context)

    async def debug(self, message: str, /, **context: object) -> None:
        """Write a line of level ``debug``."""
        await self._write("Debug", message, context)

    async def log(self, message: str, /) -> None:
        """Write the text unchanged to the server's stderr: no line break is added, whatever ``logs`` says."""
        await self._rpc.call("app.Log", message)

    async def _write(self, method: str, message: str, context: Mapping[str, object]) -> None:
        if not context:
            await self._rpc.call(f"app.{method}", message)
            return
        from pyroadrunner.sdk.log import messages  # importing protobuf costs time and memory

        await self._rpc.call_message(f"app.{method}WithContext", messages.entry(message, context), messages.Response)
