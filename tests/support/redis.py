"""A real Redis: a server, a cluster of three masters, a master with replica and sentinel."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.ports import free_port
from support.programs import PATIENCE, Program, require, running_program, wait_for_port


class RedisServer:
    """One server on loopback.

    Attributes:
        port: its port.
        program: the process, which tests kill and restart.
    """

    def __init__(self, port: int, program: Program) -> None:
        self.port = port
        self.program = program
        self._asked = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(self, command: str) -> str:
        """The raw reply to a command without arguments that need quoting; empty without a reply."""
        self._asked += 1
        return ask(self.port, command)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Suspend the server within the ``with`` block: the system accepts connections while the backlog has space, but
        the server does not reply. At the end, all commands sent meanwhile have been executed."""
        os.kill(self.program.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.program.pid, signal.SIGCONT)
        # Connections are accepted in order, and each is read in one round: after the first reply all were read.
        self.ask("PING")
        self.ask("PING")

    def calls(self, command: str) -> int:
        """How often it has executed a command (a lower-case name)."""
        found = re.search(rf"cmdstat_{command}:calls=(\d+)", self.ask("INFO commandstats"))
        return int(found[1]) if found else 0

    def connections(self) -> int:
        """The number of connections it has accepted, without those of this object."""
        taken = re.search(r"total_connections_received:(\d+)", self.ask("INFO stats"))
        assert taken is not None
        return int(taken[1]) - self._asked

    def wait_for(self, command: str, text: str) -> None:
        """Return once the reply to ``command`` contains ``text``."""
        wait_for(self.port, command, text, self.program)


def ask(port: int, command: str) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            connection.shutdown(socket.SHUT_WR)  # it closes after the reply; sentinels have no QUIT
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer.decode()
    except OSError:
        return ""


def wait_for(port: int, command: str, text: str, program: Program) -> None:
    deadline = time.monotonic() + PATIENCE
    while text not in (answer := ask(port, command)):
        assert not program.ended, program.log.read_text()
        assert time.monotonic() < deadline, f"{command}: {answer!r}; {program.log.read_text()}"
        time.sleep(0.02)


@contextmanager
def redis_server(folder: Path, *options: str, tls: bool = False) -> Iterator[RedisServer]:
    """A running server without persistence. With ``tls`` its options have certificates, and no PING is sent."""
    port = free_port()
    listen = ("--port", "0", "--tls-port", str(port)) if tls else ("--port", str(port))
    command = [require("redis-server"), *listen, "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    with running_program(command, folder / f"redis-{port}.log") as program:
        server = RedisServer(port, program)
        if tls:
            wait_for_port(port, program)
        else:
            # With a password it replies NOAUTH, but it is running.
            wait_for(port, "PING", "PONG" if "--requirepass" not in options else "NOAUTH", program)
        yield server


@contextmanager
def redis_cluster(folder: Path) -> Iterator[Sequence[RedisServer]]:
    """Three masters that share the slots."""
    with ExitStack() as stack:
        servers = []
        for _ in range(3):
            bus = free_port()
            nodes = f"nodes-{bus}.conf"
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-config-file", nodes)
            servers.append(stack.enter_context(redis_server(folder, *options)))
        addresses = [server.address for server in servers]
        create = [require("redis-cli"), "--cluster", "create", *addresses, "--cluster-yes"]
        subprocess.run(create, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        for server in servers:
            server.wait_for("CLUSTER INFO", "cluster_state:ok")
        yield servers


@contextmanager
def redis_sentinel(folder: Path, password: str = "") -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """A master, its replica, and their sentinel, with the name ``mymaster``.

    Args:
        password: for all three; empty = none.
    """
    login = ("--requirepass", password, "--masterauth", password) if password else ()
    with ExitStack() as stack:
        master = stack.enter_context(redis_server(folder, *login, "--repl-diskless-sync-delay", "0"))
        follow = ("--replicaof", "127.0.0.1", str(master.port))
        replica = stack.enter_context(redis_server(folder, *login, *follow))
        port = free_port()
        config = folder / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 3000\n"
            + (f"sentinel auth-pass mymaster {password}\nrequirepass {password}\n" if password else "")
        )
        command = [require("redis-server"), str(config), "--sentinel"]
        with running_program(command, folder / "sentinel.log") as program:
            sentinel = RedisServer(port, program)
            asking = f"AUTH {password}\r\n" if password else ""
            sentinel.wait_for(f"{asking}SENTINEL REPLICAS mymaster", str(replica.port))
            replica.wait_for(f"{asking}INFO replication", "master_link_status:up")
            yield master, replica, sentinel
