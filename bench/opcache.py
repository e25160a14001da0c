"""What opcache is worth to a worker: the application of ``examples/symfony``, a server for each setting, asked in turn.

A boot is ``rr reset`` with one worker, seen from an RPC client: the new process, its hello, the end of the old one.
Then the worker's first request, its memory, and the processor time of the requests after that. Prints a Markdown table
of medians; in parentheses the median ratio to the first row.

.venv/bin/python -m bench.opcache [ROUNDS]
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

from bench import client as http
from bench import rr
from bench.client import free_port, wait_until_up
from bench.subject import process
from pyroadrunner.sdk.rpc import RpcClient

APPLICATION = Path(__file__).parent.parent / "examples" / "symfony"
PATH = "/hello/world"
REQUESTS = 1000
ON = ("opcache.enable_cli=1",)
# Compiles what the application has loaded by its first request, as a list made beforehand.
PRELOAD = "<?php foreach (file(__DIR__ . '/files.txt', FILE_IGNORE_NEW_LINES) as $file) opcache_compile_file($file);\n"
LIST = (
    "<?php register_shutdown_function(static fn () =>"
    " file_put_contents(__DIR__ . '/files.txt', implode(\"\\n\", array_slice(get_included_files(), 1))));\n"
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table."""

    title: str
    ini: Sequence[str]


@dataclass
class Measured:
    """Of each round; seconds and bytes."""

    boots: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)


CASES = (
    Case(title="off", ini=("opcache.enable_cli=0",)),
    Case(title="`enable_cli=1`", ini=ON),
    Case(title="with the JIT", ini=(*ON, "opcache.jit=tracing", "opcache.jit_buffer_size=32M")),
    Case(title="with `file_cache`", ini=(*ON, "opcache.file_cache={folder}/opcache")),
    Case(
        title="with `file_cache`, `validate_timestamps=0`",
        ini=(*ON, "opcache.file_cache={folder}/opcache", "opcache.validate_timestamps=0"),
    ),
    Case(title="with `preload`", ini=(*ON, "opcache.preload={folder}/preload.php", "opcache.preload_user=root")),
)


def application(folder: Path, case: Case, files: str) -> tuple[Path, int, int]:
    """A copy of the application with its own config, HTTP and RPC port."""
    shutil.copytree(APPLICATION, folder, dirs_exist_ok=True)
    (folder / "opcache").mkdir()
    (folder / "preload.php").write_text(PRELOAD)
    (folder / "files.txt").write_text(files.format(folder=folder))
    flags = [word for value in ("sys_temp_dir={folder}", *case.ini) for word in ("-d", value.format(folder=folder))]
    port, rpc = free_port(), free_port()
    settings = rr.settings(port, rpc, "worker.php", {"pool": {"num_workers": 1}})
    settings["server"]["command"] = ["php", *flags, "worker.php"]
    return rr.write(folder, settings), port, rpc


def list_files(folder: Path) -> str:
    """Which files the application has loaded by its first request, one a line; its own begin with ``{folder}``."""
    shutil.copytree(APPLICATION, folder, dirs_exist_ok=True)
    (folder / "list.php").write_text(LIST)
    port = free_port()
    settings = rr.settings(port, free_port(), "worker.php", {"pool": {"num_workers": 1}})
    settings["server"]["command"] = ["php", "-d", "auto_prepend_file=list.php", "worker.php"]
    config = rr.write(folder, settings)
    with process([*rr.RR, "serve", "-c", str(config)], folder / "log", folder):
        wait_until_up(port)
        ask(port)
    return (folder / "files.txt").read_text().replace(str(folder), "{folder}")


def ask(port: int) -> None:
    answer = http.ask(port, PATH, timeout=30)
    if answer.status != 200:
        raise RuntimeError(f"{answer.status} for GET {PATH}: {answer.body!r}")


def measure(port: int, rpc: int, measured: Measured) -> None:
    """One round of one case."""
    with RpcClient(f"tcp://127.0.0.1:{rpc}") as client:
        start = time.perf_counter()
        client.call("resetter.Reset", "http")
        booted = time.perf_counter()
        ask(port)
        measured.firsts.append(time.perf_counter() - booted)
        measured.boots.append(booted - start)
        worker = psutil.Process(client.call("informer.Workers", "http")["workers"][0]["pid"])
    for _ in range(REQUESTS // 10):
        ask(port)
    before = sum(worker.cpu_times()[:2])
    for _ in range(REQUESTS):
        ask(port)
    measured.requests.append((sum(worker.cpu_times()[:2]) - before) / REQUESTS)
    measured.memory.append(worker.memory_full_info().uss)


def main(rounds: int) -> None:
    results = [Measured() for _ in CASES]
    with contextlib.ExitStack() as stack:
        servers = []
        with tempfile.TemporaryDirectory(prefix="bench-opcache-") as name:
            files = list_files(Path(name))
        for case in CASES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-opcache-")))
            config, port, rpc = application(folder, case, files)
            stack.enter_context(process([*rr.RR, "serve", "-c", str(config)], folder / "log", folder))
            wait_until_up(port)
            servers.append((port, rpc))
        for _ in range(rounds):
            for (port, rpc), measured in zip(servers, results, strict=True):
                measure(port, rpc, measured)
    off = results[0]
    print("| opcache | boot | first request | CPU of a request | own memory |\n|---|---|---|---|---|")
    for case, measured in zip(CASES, results, strict=True):
        cells = (
            ratio(measured.boots, off.boots, 1000, "ms"),
            ratio(measured.firsts, off.firsts, 1000, "ms"),
            ratio(measured.requests, off.requests, 1000, "ms"),
            ratio(measured.memory, off.memory, 1 / (1 << 20), "MB"),
        )
        print(f"| {case.title} | {' | '.join(cells)} |")


def ratio(values: Sequence[float], off: Sequence[float], scale: float, unit: str) -> str:
    """Median, and its ratio to that of the first row: of each round, then the median."""
    to_off = median(value / other for value, other in zip(values, off, strict=True))
    return f"{median(values) * scale:.3g} {unit} ({to_off:.2f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 15)
