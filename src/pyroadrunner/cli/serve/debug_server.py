"""``-d``: show tasks, threads and memory over HTTP on loopback, to find stuck tasks and leaks."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
import traceback
import tracemalloc
from collections.abc import Callable

import psutil

from pyroadrunner.admin.app import AdminRequest
from pyroadrunner.admin.response import AdminResponse
from pyroadrunner.admin.server import AdminServer
from pyroadrunner.cli.console import complain
from pyroadrunner.log import Log
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.errors import ListenError

PORT = 6061  # RoadRunner's profiler port

log = Log("server")


async def debug_server(port: int = PORT) -> None:
    """Serve until cancelled. A port in use is only reported: it must not prevent the server from starting."""
    server = AdminServer(TcpAddress("127.0.0.1", port), "-d", _answer, log)
    try:
        await server.start()
    except ListenError as wrong:
        complain(f"[ERROR] debug server stopped with error: {wrong}")
        return
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop(0.0)


async def _answer(request: AdminRequest) -> AdminResponse:
    page = PAGES.get(request.path)
    text = page() if page is not None else index()
    return AdminResponse(200 if page is not None else 404, text.encode("utf-8", "replace"))


def index() -> str:
    return "".join(f"{path}\n" for path in PAGES)


def tasks() -> str:
    """All tasks of the loop and their stacks."""
    text = io.StringIO()
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        text.write(f"{task.get_name()}\n")
        task.print_stack(file=text)
        text.write("\n")
    return text.getvalue()


def threads() -> str:
    """All threads and their stacks."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = []
    for ident, frame in sys._current_frames().items():
        parts.append(f"{names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}")
    return "\n".join(parts)


def memory() -> str:
    """Resident memory and garbage collector counts; with ``PYTHONTRACEMALLOC=1`` also the largest allocations."""
    process = psutil.Process().memory_info()
    lines = [
        f"rss_bytes {process.rss}",
        f"gc_counts {' '.join(map(str, gc.get_count()))}",
        f"gc_frozen {gc.get_freeze_count()}",
        f"gc_objects {len(gc.get_objects())}",
    ]
    if tracemalloc.is_tracing():
        lines += map(str, tracemalloc.take_snapshot().statistics("lineno")[:40])
    else:
        lines.append("tracemalloc is off; start with PYTHONTRACEMALLOC=1")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "/debug/": index,
    "/debug/tasks": tasks,
    "/debug/threads": threads,
    "/debug/memory": memory,
}
