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

from pyroadrunner.cli.console import complain

PORT = 6061  # RoadRunner's profiler port
_READ_TIMEOUT = 5.0
_LONGEST_HEAD = 8192  # bytes


async def debug_server(port: int = PORT) -> None:
    """Serve until cancelled. A port in use is only reported: it must not prevent the server from starting."""
    try:
        server = await asyncio.start_server(_answer, "127.0.0.1", port, limit=_LONGEST_HEAD)
    except OSError as wrong:
        complain(f"[ERROR] debug server stopped with error: {wrong}")
        return
    async with server:
        await asyncio.Event().wait()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].split(b" ")
        path = words[1].split(b"?")[0].decode("latin-1") if len(words) > 1 else ""
        page = PAGES.get(path)
        status = "200 OK" if page else "404 Not Found"
        body = (page() if page else index()).encode("utf-8", "replace")
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):  # the client's fault
        pass
    finally:
        writer.close()


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
