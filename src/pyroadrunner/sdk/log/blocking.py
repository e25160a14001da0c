"""The blocking client of the service ``app``."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from pyroadrunner.sdk.rpc import RpcClient


class AppLogger:
    """The server's log, channel ``app``.

    Args:
        rpc: the connection; ``None`` = a new one.

    A method returns when the server has received the line. ``context`` becomes fields; its values are sent as strings.
    Every method raises :class:`~pyroadrunner.sdk.rpc.CallFailed` with the server's message, and
    :class:`~pyroadrunner.sdk.rpc.Unreachable`.
    """

    def __init__(self, rpc: RpcClient | None = None) -> None:
        self._rpc = rpc if rpc is not None else RpcClient()

    def __repr__(self) -> str:
        return f"AppLogger({self._rpc!r})"

    def __enter__(self) -> AppLogger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Idempotent; a later call connects again."""
        self._rpc.close()

    def error(self, message: str, /, **context: object) -> None:
        """Write a line of level ``error``."""
        self._write("Error", message, context)

    def warning(self, message: str, /, **context: object) -> None:
        """Write a line of level ``warn``."""
        self._write("Warning", message, context)

    def info(self, message: str, /, **context: object) -> None:
        """Write a line of level ``info``."""
        self._write("Info", message, context)

    def debug(self, message: str, /, **context: object) -> None:
        """Write a line of level ``debug``."""
        self._write("Debug", message, context)

    def log(self, message: str, /) -> None:
        """Write the text unchanged to the server's stderr: no line break is added, whatever ``logs`` says."""
        self._rpc.call("app.Log", message)

    def _write(self, method: str, message: str, context: Mapping[str, object]) -> None:
        if not context:
            self._rpc.call(f"app.{method}", message)
            return
        from pyroadrunner.sdk.log import messages  # importing protobuf costs time and memory

        self._rpc.call_message(f"app.{method}WithContext", messages.entry(message, context), messages.Response)
