"""``python -m bench.temporal``, part of ``make bench``: workflows and activities with two activity workers, on the
development server of Temporal, if the packages for tests are installed. About a minute; prints its table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine, rr
from bench.broker import wait_for_port
from bench.checks import Check, draw, text_table
from bench.client import NotUp, free_port
from bench.processes import cpu_of
from bench.subject import PHP, WORKERS, process

OURS = "pyroadrunner"
ROOT = Path(__file__).parents[1]
WORKER = ROOT / "tests" / "support" / "workers" / "temporal" / "worker.php"
HEADINGS = ("Load", "Subject", "Per second", "Server CPU ms")
PARALLEL = 10  # activities of a workflow
AT_A_TIME = 50  # workflows
_PATIENCE = 60.0  # seconds for the first workflow


@dataclass(frozen=True, kw_only=True)
class Load:
    """Workflows to run.

    Attributes:
        kind, argument: type and argument of the workflow.
        units: what is counted in each.
        alone: not run on RoadRunner, whose workflow worker (2025.1.13) ends in a panic with it.
    """

    title: str
    kind: str
    argument: Any
    units: int = 1
    alone: bool = False


LOADS = (
    Load(title="workflows with one activity", kind="one-activity", argument="text"),
    Load(title="activities, 10 at a time", kind="parallel", argument=PARALLEL, units=PARALLEL),
    Load(title="workflows with one local activity", kind="local", argument="text", alone=True),
)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server, with a task queue of its own."""

    title: str
    queue: str
    pid: int


@contextlib.contextmanager
def serving(title: str, command: Sequence[str], address: str, queue: str) -> Iterator[Server]:
    """Start a server.

    Raises:
        NotUp: there is no such command.
    """
    with tempfile.TemporaryDirectory(prefix="bench-temporal-") as name:
        folder = Path(name)
        config = rr.write(
            folder,
            {
                "version": "3",
                "rpc": {"listen": f"tcp://127.0.0.1:{free_port()}"},
                "server": {"command": shlex.join([*PHP, str(WORKER)])},
                "logs": {"mode": "production", "level": "error"},
                "temporal": {"address": address, "activities": {"num_workers": WORKERS}},
            },
        )
        env = {"TASK_QUEUE": queue, "RR_PHP_LIBRARY": str(ROOT / "php")}
        words = [rr.executable(command[0]), *command[1:], "serve", "-c", str(config)]
        with process(words, folder / "log", folder, env) as child:
            yield Server(title=title, queue=queue, pid=child.pid)


async def measure(client: Any, server: Server, load: Load, number: int) -> tuple[float, float]:
    """Units per second, and milliseconds of the server's CPU for each."""
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(at: int) -> None:
        async with room:
            name = f"{server.queue}-{load.kind}-{time.monotonic_ns()}-{at}"
            await client.execute_workflow(load.kind, load.argument, id=name, task_queue=server.queue)

    await asyncio.wait_for(one(-1), _PATIENCE)  # also waits until the server is connected
    cpu, begin = cpu_of(server.pid), time.monotonic()
    await asyncio.gather(*map(one, range(number)))
    units = number * load.units
    return units / (time.monotonic() - begin), (cpu_of(server.pid) - cpu) / units * 1000


async def rounds(address: str, servers: Sequence[Server], number: int, count: int) -> dict[tuple[str, str], list[Any]]:
    """All measurements; the servers take turns."""
    from temporalio.client import Client

    client = await Client.connect(address)
    found: dict[tuple[str, str], list[Any]] = {}
    for load in LOADS:
        for _ in range(count):
            for server in servers[:1] if load.alone else servers:
                workflows = max(5, number // load.units)
                found.setdefault((load.title, server.title), []).append(await measure(client, server, load, workflows))
    return found


def checks_of(found: dict[tuple[str, str], tuple[float, float]], beside: str) -> list[Check]:
    """The targets, relative to the other server."""
    checks = []
    for load in (load for load in LOADS if beside and not load.alone):
        (rate, cpu), (other_rate, other_cpu) = found[load.title, OURS], found[load.title, beside]
        checks.append(Check(what=f"{load.title}: rate", measured=rate / other_rate, least=1.0, digits=2))
        checks.append(Check(what=f"{load.title}: CPU", measured=cpu / max(other_cpu, 0.01), most=1.3, digits=2))
    return checks


def main() -> int:
    """0 if all targets are met, or there is nothing to measure with."""
    parser = argparse.ArgumentParser(prog="python -m bench.temporal", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round with few workflows")
    parser.add_argument("--beside", default="", metavar="COMMAND", help="a RoadRunner to measure in the same rounds")
    options = parser.parse_args()
    temporal = Path(sys.executable).parent / "temporal"
    if find_spec("temporalio") is None or not temporal.exists():
        print("not measured: Temporal; its packages are those for tests: sh scripts/venv.sh dev")
        return 0
    subjects: dict[str, Sequence[str]] = {OURS: rr.RR}
    beside = ""
    if command := tuple(shlex.split(options.beside)):
        beside = f"RoadRunner {machine.version(*command, '--version')}"
        subjects[beside] = command
    port = free_port()
    address = f"127.0.0.1:{port}"
    start = [str(temporal), "server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="bench-temporal-") as name, contextlib.ExitStack() as stack:
        log = Path(name) / "log"
        child = stack.enter_context(process([*start, "--log-level", "error"], log, Path(name)))
        wait_for_port(port, child, log)
        servers = [
            stack.enter_context(serving(title, words, address, f"bench-{number}"))
            for number, (title, words) in enumerate(subjects.items())
        ]
        try:
            samples = asyncio.run(rounds(address, servers, 20 if options.quick else 200, 1 if options.quick else 3))
        except (NotUp, TimeoutError) as error:
            print(f"bench: {error!r}", file=sys.stderr)
            return 1
    found = {
        key: (median(rate for rate, _ in values), median(cpu for _, cpu in values)) for key, values in samples.items()
    }
    rows = [(load, title, f"{rate:,.0f}", f"{cpu:.2f}") for (load, title), (rate, cpu) in found.items()]
    print(text_table(HEADINGS, rows, left=2))
    checks = checks_of(found, beside)
    print(draw("Targets", checks))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
