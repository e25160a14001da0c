"""Servers with the section ``discovery``, and the registries that tests run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import urlopen

from pyroadrunner.sdk.rpc import RpcClient
from support.ports import free_port, kept_port
from support.server import Server

T = TypeVar("T")

PATIENCE = 60.0  # seconds: a limit for the case of failure
TTL = 3.0


def discovering(
    folder: Path,
    registry: Mapping[str, Any],
    id: str = "web",  # noqa: A002
    sections: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Server:
    """A server without workers that announces its metrics and status.

    Args:
        id: its id.
        sections: more of its config.
        settings: of ``discovery``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    discovery = {
        "name": "shop",
        "id": id,
        "host": "127.0.0.1",
        "ttl": f"{TTL:g}s",
        "refresh": "200ms",
        "registry": dict(registry),
        **settings,
    }
    config = {
        "metrics": {"address": f"127.0.0.1:{kept_port()}"},
        "status": {"address": f"127.0.0.1:{free_port()}"},
        "discovery": discovery,
        **(sections or {}),
    }
    return Server(folder, config)


def cluster(server: Server) -> dict[str, Any]:
    """What a server says of its cluster."""
    with RpcClient(server.rpc) as client:
        found: dict[str, Any] = client.call("discovery.Servers")
    return found


def names(server: Server) -> list[str]:
    """The servers that a server knows."""
    return [one["id"] for one in cluster(server)["servers"]]


def page(server: Server, path: str, port: str = "status") -> tuple[int, str]:
    """Status and body of a page for monitoring."""
    try:
        with urlopen(f"http://{server.config[port]['address']}{path}", timeout=30) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def notice(server: Server) -> str:
    """What ``/health`` says of discovery; the server is healthy all the time."""
    status, body = page(server, "/health")
    assert status == 200, body
    found: str = next(one["error_message"] for one in json.loads(body) if one["plugin_name"] == "discovery")
    return found


def until(get: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Ask until it holds; return the value for which it does."""
    deadline = time.monotonic() + PATIENCE
    while not holds(value := get()):
        assert time.monotonic() < deadline, value
        time.sleep(0.05)
    return value


def wait_for_names(server: Server, *wanted: str) -> None:
    """Wait until a server knows these servers and no others."""
    until(lambda: names(server), lambda found: found == sorted(wanted))
