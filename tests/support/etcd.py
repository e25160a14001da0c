"""A real etcd, one member."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from support.ports import kept_port
from support.programs import Program, require, running_program, wait_for_port


class EtcdApi:
    """Asks a member on loopback.

    Attributes:
        port: for clients.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, path: str, body: Any, token: str = "") -> Any:
        """A call of its JSON gateway."""
        request = Request(f"{self.url}/v3/{path}", data=json.dumps(body).encode(), method="POST")
        if token:
            request.add_header("Authorization", token)
        with urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    def keys(self, prefix: str = "/") -> dict[str, bytes]:
        """All keys and values with a prefix."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        body = {"key": _coded(prefix), "range_end": _coded(end)}
        found = self.call("kv/range", body).get("kvs", [])
        return {base64.b64decode(one["key"]).decode(): base64.b64decode(one.get("value", "")) for one in found}

    def put(self, key: str, value: bytes) -> None:
        self.call("kv/put", {"key": _coded(key), "value": base64.b64encode(value).decode()})


class Etcd(EtcdApi):
    """A running member.

    Attributes:
        program: the process.
    """

    def __init__(self, port: int, program: Program, data: Path) -> None:
        super().__init__(port)
        self.program = program
        self._data = data

    def start(self, *, empty: bool = False) -> None:
        """Start it again.

        Args:
            empty: without its data.
        """
        if empty:
            shutil.rmtree(self._data)
        self.program.start()
        wait_for_port(self.port, self.program)

    def pause(self) -> None:
        """It neither answers nor refuses connections."""
        os.kill(self.program.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.program.pid, signal.SIGCONT)


@contextmanager
def etcd_server(folder: Path, *more: str, scheme: str = "http") -> Iterator[Etcd]:
    """A running member.

    Args:
        more: arguments.
    """
    port, peers = kept_port(), kept_port()
    data = folder / "data"
    client = f"{scheme}://127.0.0.1:{port}"
    command = [
        *(require("etcd"), "--name", "default", "--data-dir", str(data)),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", f"http://127.0.0.1:{peers}", "--log-level", "warn"),
        *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}"),
        *("--initial-cluster", f"default=http://127.0.0.1:{peers}"),
        *more,
    ]
    with running_program(command, folder / "etcd.log") as program:
        wait_for_port(port, program)
        yield Etcd(port, program, data)


@contextmanager
def shared_etcd(folder: Path) -> Iterator[dict[str, Any]]:
    """For ``brokers.use``."""
    with etcd_server(folder) as server:
        yield {"port": server.port}


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
