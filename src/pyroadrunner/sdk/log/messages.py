"""Build requests to the service ``app``. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pyroadrunner.proto.applogger.v1.applogger_pb2 import LogAttrs, LogEntry, Response

__all__ = ["Response", "entry"]


def entry(message: str, context: Mapping[str, object]) -> LogEntry:
    """The argument of ``ErrorWithContext`` and so on; values become strings."""
    attributes = [LogAttrs(key=key, value=str(value)) for key, value in context.items()]
    return LogEntry(message=message, log_attrs=attributes)
