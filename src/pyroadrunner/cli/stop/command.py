"""``rr stop``: ask the server to stop, wait until it has exited, show what it waits for.

The server is the process in ``.pid``; without that file, the one at the RPC address of the config.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace

from pyroadrunner.cli.console import complain, on_terminal, report
from pyroadrunner.cli.palette import GOOD
from pyroadrunner.cli.progress import Progress
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.cli.serve.pid_file import NoPidFile, read_pid
from pyroadrunner.cli.stop.process import NotThere
from pyroadrunner.cli.stop.render import waiting_for
from pyroadrunner.cli.stop.server import CalledServer, LocalServer, Server, workers_of
from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.load import LoadOptions, prepare
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.sdk.rpc.blocking import RpcClient

STILL_RUNS = 2
_FORCE_AFTER = 1.0  # seconds between the stop request and the forced one
_EVERY_SECONDS = 0.25  # between two polls of the server


def run(options: LoadOptions, *, silent: bool, force: bool, wait: bool = True, timeout: str = "") -> int:
    """Ask the server to stop; with ``force`` again after a second, which ends it immediately.

    Args:
        wait: whether to wait until the server has exited.
        timeout: the longest time to wait, a duration; empty = no limit.

    Returns:
        0, or 2 if the server still runs because ``timeout`` has passed or Ctrl-C was pressed.

    Raises:
        RoadRunnerError: the server was not found, or can't be asked to stop.
    """
    limit = _seconds(timeout) if timeout else None
    prepared = prepare(options)
    client = _client(prepared, named=options.path != LoadOptions.path)
    try:
        live = on_terminal(sys.stderr)
        server = _find(client, folder=_folder_asked(prepared, options))
        if not silent:
            report(
                f"stopping the server (PID {server.pid})"
                if live
                else f"{_now()} stopping process with PID: {server.pid}"
            )
        begun = time.monotonic()
        server.ask()
        if force and not server.ended_within(_FORCE_AFTER):
            server.ask()
        if not wait:
            return 0
        until = None if limit is None else begun + limit
        if not _wait(server, client if isinstance(client, RpcClient) else None, until, silent=silent):
            complain(f"the server still runs (PID {server.pid}) and keeps stopping; rr stop -f ends it immediately")
            return STILL_RUNS
        if not silent:
            report(f"{'' if live else _now() + ' '}stopped after {time.monotonic() - begun:.1f} s", GOOD)
        return 0
    finally:
        if isinstance(client, RpcClient):
            client.close()


def _wait(server: Server, client: RpcClient | None, until: float | None, *, silent: bool) -> bool:
    """Wait for the exit, until ``until`` or Ctrl-C; return whether the server has exited."""
    progress = Progress()
    try:
        while not server.ended_within(_step(until)):
            if until is not None and time.monotonic() >= until:
                return False
            if not silent and progress.due:
                progress.show(waiting_for(workers_of(client, server.pid) if client else None, time.time()))
        return True
    except KeyboardInterrupt:
        return False
    finally:
        if not silent:
            progress.clear()


def _step(until: float | None) -> float:
    return _EVERY_SECONDS if until is None else max(0.0, min(_EVERY_SECONDS, until - time.monotonic()))


def _client(prepared: LoadOptions, *, named: bool) -> RpcClient | RoadRunnerError:
    """An RPC client, not yet connected; or the error, which does not matter if there is a ``.pid`` file."""
    try:
        return RpcClient(server_address(prepared if named else replace(prepared, path=LoadOptions.path)))
    except RoadRunnerError as wrong:
        return wrong


def _folder_asked(prepared: LoadOptions, options: LoadOptions) -> str:
    """The folder the server must work in if only the default RPC address identifies it."""
    named = options.path != LoadOptions.path or options.overrides or os.path.exists(prepared.path)
    return "" if named else os.getcwd()


def _find(client: RpcClient | RoadRunnerError, folder: str) -> Server:
    try:
        pid = read_pid()
    except NoPidFile as missing:
        try:
            if isinstance(client, RoadRunnerError):
                raise client
            return CalledServer(client, folder)
        except RoadRunnerError as wrong:
            raise RoadRunnerError(f"{missing}\nnor over RPC: {wrong}") from wrong
    try:
        return LocalServer(pid)
    except NotThere as wrong:
        raise RoadRunnerError(f"{wrong}; the .pid in {os.getcwd()} is a leftover") from wrong


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as wrong:
        raise RoadRunnerError(f'--timeout "{timeout}": {wrong}') from None


def _now() -> str:
    return time.strftime("%Y/%m/%d %H:%M:%S")
