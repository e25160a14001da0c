"""A real Consul agent, a server of its own cluster, all in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from support.go_tools import optional_go_tool
from support.ports import kept_port
from support.programs import PATIENCE, Program, running_program


class ConsulApi:
    """Asks an agent on loopback.

    Attributes:
        port: of its HTTP API.
        token: of the operator.
    """

    def __init__(self, port: int, token: str = "") -> None:
        self.port = port
        self.token = token

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """A request to its API."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", data=data, method=method)
        if self.token:
            request.add_header("X-Consul-Token", self.token)
        with urlopen(request, timeout=30) as response:
            text = response.read()
            return json.loads(text) if text else None

    def passing(self, name: str) -> list[Any]:
        """The passing instances of a service, as other programs see them."""
        found: list[Any] = self.ask(f"/v1/health/service/{name}?passing=1")
        return found


class Consul(ConsulApi):
    """A running agent.

    Attributes:
        dns: port of its DNS.
        program: the process.
    """

    def __init__(self, port: int, dns: int, program: Program, token: str = "") -> None:
        super().__init__(port, token)
        self.dns = dns
        self.program = program

    def start(self) -> None:
        """Start it again, with nothing."""
        self.program.start()
        self.wait()

    def wait(self) -> None:
        """Return once it has a leader and answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert not self.program.ended, self.program.log.read_text()
            try:
                if self.ask("/v1/health/service/consul?passing=1"):
                    return
            except (URLError, OSError):
                pass
            assert time.monotonic() < deadline, self.program.log.read_text()
            time.sleep(0.05)


@contextmanager
def consul_agent(folder: Path, token: str = "") -> Iterator[Consul]:
    """A running agent.

    Args:
        token: of the operator; with it, everything else is denied.
    """
    program = optional_go_tool("consul", "RR_TEST_CONSUL")
    names = ("http", "dns", "server", "serf_lan", "serf_wan", "grpc", "grpc_tls")
    ports = {name: kept_port() for name in names}
    ports["grpc"] = ports["grpc_tls"] = -1
    config: dict[str, Any] = {"ports": ports, "disable_update_check": True, "raft_protocol": 3}
    if token:
        config["acl"] = {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": token}}
    path = folder / "consul.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [program, "agent", "-dev", "-bind=127.0.0.1", "-log-level=warn", "-config-file", str(path)]
    with running_program(command, folder / "consul.log") as process:
        agent = Consul(ports["http"], ports["dns"], process, token)
        agent.wait()
        yield agent


@contextmanager
def shared_consul(folder: Path) -> Iterator[dict[str, Any]]:
    """For ``brokers.use``."""
    with consul_agent(folder) as agent:
        yield {"port": agent.port, "dns": agent.dns, "pid": agent.program.pid}
