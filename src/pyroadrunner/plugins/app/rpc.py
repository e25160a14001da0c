"""The methods of ``app``. Those for text return ``false`` on success, as in RoadRunner (plugins/app-logger)."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from functools import partial

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.log import Log
from pyroadrunner.proto.applogger.v1.applogger_pb2 import LogEntry, Response

log = Log("app")
_STDERR = 2


def methods() -> Mapping[str, RpcMethod]:
    found: dict[str, RpcMethod] = {
        "Log": RpcMethod(_plain(_raw), str),
        "LogWithContext": RpcMethod(_log_with_context, message=LogEntry),
    }
    levels = {"Error": logging.ERROR, "Info": logging.INFO, "Warning": logging.WARNING, "Debug": logging.DEBUG}
    for name, level in levels.items():
        found[name] = RpcMethod(_plain(partial(_line, level)), str)
        found[f"{name}WithContext"] = RpcMethod(partial(_with_context, level), message=LogEntry)
    return found


def _plain(write: Callable[[str], None]) -> Callable[[str], bool]:
    def method(text: str) -> bool:
        write(text)
        return False

    return method


def _line(level: int, text: str) -> None:
    log.write(level, text, {})


def _with_context(level: int, entry: LogEntry) -> Response:
    log.write(level, entry.message, {attribute.key: attribute.value for attribute in entry.log_attrs})
    return Response()


def _log_with_context(entry: LogEntry) -> Response:
    pairs = ",".join(f"{attribute.key}:{attribute.value}" for attribute in entry.log_attrs)
    _raw(f"{entry.message} {pairs}" if pairs else entry.message)
    return Response()


def _raw(text: str) -> None:
    """Write ``text`` unchanged to stderr, without a line break and without the section ``logs``."""
    data = text.encode("utf-8", "replace")
    try:
        while data:
            data = data[os.write(_STDERR, data) :]
    except OSError:  # stderr is closed
        pass
