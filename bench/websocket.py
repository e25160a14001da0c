"""``python -m bench.websocket``, part of ``make bench``: idle WebSocket connections, one message to all of them, and
messages through two PHP workers. About two minutes; writes its tables to ``docs/benchmarks.md``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import rr
from bench.broker import wait_for_port
from bench.checks import HEADINGS as CHECK_HEADINGS
from bench.checks import Check, draw, markdown_table, text_table
from bench.checks import rows as check_rows
from bench.client import NotUp, free_port
from bench.processes import cpu_of, parse_stat
from bench.report import PAGE_FILE, put_part
from bench.subject import PHP, PHP_FILES, WORKERS, process
from bench.tcp_samples import EchoSample
from bench.tcp_samples import middle as middle_of_echoes
from bench.websocket_client import TOPIC
from bench.websocket_samples import BARE, FAN_OUT_HEADINGS, OURS, SIZES, FanOut, fan_out_checks, middle, row

ROOT = Path(__file__).parents[1]
CLIENT = Path(__file__).parent / "websocket_client.py"
NODE_SERVER = Path(__file__).parent / "node" / "broadcast.cjs"
NODE_PACKAGES = ROOT / ".cache" / "node" / "node_modules"
ECHO_LOADS = (32, 256)  # connections
ECHO_HEADINGS = ("Connections", "Subject", "Messages/s", "p99 us", "Server CPU us", "Wrong")
PUBLICATIONS = 20
_SPARE_FILES = 500
TEXT = """## WebSocket

Written by `python -m bench.websocket`, a part of `make bench`; medians of {rounds} rounds. One client process has all
sockets and publishes {publications} messages of 100 bytes, each when all clients have the one before it. "KB each" is
what the server's process grew by for an idle socket, "Last ms" the time from the publisher's call to the last client.
The other server is a broadcast loop on Node's `ws`, without workers, topics or limits.

{fan_outs}

Messages of 35 bytes to {workers} PHP workers, which send each one back; a client sends the next message when it has the
answer:

{echoes}

{checks}
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server.

    Attributes:
        target: of the handshake.
        rpc: where to publish; empty = by a request to the port.
    """

    title: str
    pid: int
    port: int
    target: str
    rpc: str = ""

    def memory(self) -> int:
        """Bytes."""
        return parse_stat(Path(f"/proc/{self.pid}/stat").read_text()).rss_bytes


class Clients:
    """The process with the clients of a server; closes all connections at the end of the block."""

    def __init__(self, server: Server) -> None:
        self._server = server
        command = [sys.executable, str(CLIENT), str(server.port), server.target, server.rpc]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def order(self, **words: float) -> Mapping[str, Any]:
        """Let them do something.

        Raises:
            NotUp: they ended; the reason is on stderr.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise NotUp(f"{self._server.title}: the clients ended")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=20)
        self._process.kill()
        self._process.wait()


def fan_out(server: Server, sockets: int) -> FanOut:
    """Open the sockets, and publish to them."""
    with Clients(server) as clients:
        before = server.memory()
        clients.order(open=sockets)
        grown = server.memory() - before
        clients.order(publish=2)
        used = cpu_of(server.pid)
        took = clients.order(publish=PUBLICATIONS)["last_ms"]
        used = cpu_of(server.pid) - used
    return FanOut(
        socket_kb=grown / sockets / 1e3,
        last_ms=median(took),
        slowest_ms=max(took),
        server_us=used / sockets / PUBLICATIONS * 1e6,
    )


def echoes(server: Server, connections: int, seconds: float) -> EchoSample:
    """Messages there and back."""
    with Clients(server) as clients:
        clients.order(open=connections)
        clients.order(echo=0.2, connections=connections)
        used = cpu_of(server.pid)
        found = clients.order(echo=seconds, connections=connections)
        used = cpu_of(server.pid) - used
    return EchoSample(
        echoes=found["echoes"] / found["seconds"],
        p99_us=found["p99_us"],
        server_us=used / found["echoes"] * 1e6,
        rss_mb=server.memory() / 1e6,
        wrong=found["wrong"],
    )


@contextlib.contextmanager
def serving(command: Sequence[str], *, workers: bool) -> Iterator[Server]:
    """Start ``rr serve``: with workers that get all messages, or with a public topic and no workers for sockets.

    Raises:
        NotUp: with its output.
    """
    command = (rr.executable(command[0]), *command[1:])
    with tempfile.TemporaryDirectory(prefix="bench-websocket-") as name:
        folder = Path(name)
        log, port, rpc_port = folder / "log", free_port(), free_port()
        section: dict[str, Any] = {"path": "/ws", "topics": [{"match": TOPIC, "public": True}], "ping_interval": 0}
        section |= {"events": ["message"], "pool": {"num_workers": WORKERS}} if workers else {"events": []}
        config = {
            "version": "3",
            "rpc": {"listen": f"tcp://127.0.0.1:{rpc_port}"},
            "server": {"command": shlex.join((*PHP, str(PHP_FILES / "websocket.php"))), "relay": "pipes"},
            "logs": {"mode": "production", "level": "error"},
            "http": {"address": f"127.0.0.1:{port}", "pool": {"num_workers": 1}},
            "websocket": section,
        }
        with process([*command, "serve", "-c", str(rr.write(folder, config))], log, folder) as child:
            wait_for_port(port, child, log)
            target = "/ws" if workers else f"/ws?topic={TOPIC}"
            yield Server(title=OURS, pid=child.pid, port=port, target=target, rpc=f"tcp://127.0.0.1:{rpc_port}")


@contextlib.contextmanager
def node() -> Iterator[Server]:
    """Start the broadcast loop.

    Raises:
        NotUp: Node or its package is missing, or it did not start.
    """
    executable = shutil.which("node")
    if executable is None or not (NODE_PACKAGES / "ws").is_dir():
        raise NotUp("Node and its package ws are needed for the comparison: sh scripts/node-tools.sh")
    with tempfile.TemporaryDirectory(prefix="bench-websocket-") as name:
        folder, port = Path(name), free_port()
        log, env = folder / "log", {"NODE_PATH": str(NODE_PACKAGES)}
        with process([executable, str(NODE_SERVER), str(port)], log, folder, env) as child:
            wait_for_port(port, child, log)
            yield Server(title=BARE, pid=child.pid, port=port, target="/")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.websocket", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one round, fewer sockets, for a quick look; writes nothing"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of the load of messages (2)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per load and subject (3)")
    parser.add_argument("--rr", default="", metavar="COMMAND", help="another server that accepts: serve -c FILE")
    return parser.parse_args(words)


Start = Callable[[], contextlib.AbstractContextManager[Server]]


def rounds_of_fan_out(starts: Sequence[Start], sizes: Sequence[int], rounds: int) -> dict[tuple[int, str], FanOut]:
    """Measure every size. Each round has fresh servers, as freed memory hides what a socket takes."""
    samples: dict[tuple[int, str], FanOut] = {}
    for sockets in sizes:
        found: dict[str, list[FanOut]] = {}
        for _ in range(rounds):
            for start in starts:
                with start() as server:
                    found.setdefault(server.title, []).append(fan_out(server, sockets))
        for title, measured in found.items():
            samples[sockets, title] = sample = middle(measured)
            print(f"  {sockets} sockets: {title} {sample.last_ms:,.0f} ms", file=sys.stderr, flush=True)
    return samples


def rounds_of_echoes(servers: Sequence[Server], seconds: float, rounds: int) -> dict[tuple[int, str], EchoSample]:
    """Measure every load. The servers take turns within each round."""
    samples: dict[tuple[int, str], EchoSample] = {}
    for connections in ECHO_LOADS:
        found: dict[str, list[EchoSample]] = {server.title: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                found[server.title].append(echoes(server, connections, seconds))
        for title, measured in found.items():
            samples[connections, title] = sample = middle_of_echoes(measured)
            print(f"  {connections} connections: {title} {sample.echoes:,.0f}/s", file=sys.stderr, flush=True)
    return samples


def echo_row(key: tuple[int, str], sample: EchoSample) -> tuple[str, ...]:
    """A row under :data:`ECHO_HEADINGS`."""
    connections, subject = key
    title = subject if subject == OURS else f"{subject}, no workers"
    figures = (f"{sample.echoes:,.0f}", f"{sample.p99_us:,.0f}", f"{sample.server_us:,.1f}", f"{sample.wrong:.0f}")
    return (str(connections), title, *figures)


def checks_of(fan_outs: Mapping[tuple[int, str], FanOut], found: Mapping[tuple[int, str], EchoSample]) -> list[Check]:
    """The targets."""
    wrong = sum(sample.wrong for (_, subject), sample in found.items() if subject == OURS)
    return [*fan_out_checks(fan_outs), Check(what="wrong answers", measured=wrong, most=0)]


def report(fan_outs: Mapping[tuple[int, str], FanOut], found: Mapping[tuple[int, str], EchoSample], rounds: int) -> str:
    """The part of the page."""
    return TEXT.format(
        rounds=rounds,
        publications=PUBLICATIONS,
        workers=WORKERS,
        fan_outs=markdown_table(FAN_OUT_HEADINGS, [row(key, sample) for key, sample in fan_outs.items()], left=2),
        echoes=markdown_table(ECHO_HEADINGS, [echo_row(key, sample) for key, sample in found.items()], left=2),
        checks=markdown_table(CHECK_HEADINGS, check_rows(checks_of(fan_outs, found))),
    )


def main() -> int:
    """0 if all targets are met."""
    options = arguments()
    sizes: Sequence[int] = SIZES
    if options.quick:
        options.seconds, options.rounds, sizes = 1.0, 1, SIZES[:1]
    wanted, hard = max(sizes) + _SPARE_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    command = tuple(shlex.split(options.rr)) or rr.RR
    try:
        fan_outs = rounds_of_fan_out([partial(serving, command, workers=False), node], sizes, options.rounds)
        with serving(command, workers=True) as ours, node() as bare:
            found = rounds_of_echoes([ours, bare], options.seconds, options.rounds)
    except NotUp as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    checks = checks_of(fan_outs, found)
    print(text_table(FAN_OUT_HEADINGS, [row(key, sample) for key, sample in fan_outs.items()], left=2))
    print()
    print(text_table(ECHO_HEADINGS, [echo_row(key, sample) for key, sample in found.items()], left=2))
    print(draw("Targets", checks))
    if not (options.quick or options.rr):
        put_part(PAGE_FILE, "websocket", report(fan_outs, found, options.rounds))
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
