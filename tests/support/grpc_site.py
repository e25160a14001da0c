"""The real ``rr serve`` with the section ``grpc``, and clients made with grpcio. Messages are raw bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]

from support.php import require_php
from support.server import Server, free_port

WORKERS = Path(__file__).parent / "workers"
Metadata = Sequence[tuple[str, str | bytes]]
_PATIENCE = 60.0  # seconds; only a failing test waits so long


class GrpcSite(Server):
    """A server with the services of ``test.proto``.

    Attributes:
        port: of gRPC.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        pool: dict[str, Any] | None = None,
        sections: dict[str, Any] | None = None,
        command: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        **section: Any,
    ) -> None:
        self.port = free_port()
        config: dict[str, Any] = {
            "server": {"command": [*(command or (require_php(), str(WORKERS / "grpc.php")))]},
            "grpc": {
                "listen": f"127.0.0.1:{self.port}",
                "proto": [str(WORKERS / "test.proto")],
                "pool": {"num_workers": workers, **(pool or {})},
                **section,
            },
            "logs": {"mode": "production", "output": "stderr", "level": "debug"},
            **(sections or {}),
        }
        super().__init__(folder, config, env=env)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self, **options: Any) -> Client:
        return Client(self.target, **options)

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The fields of the log lines with this message."""
        lines = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        return [line for line in lines if line["msg"] == message]


class Client:
    """A grpcio channel to the service ``test.Worker``."""

    def __init__(
        self,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        compression: grpc.Compression | None = None,
        options: Iterable[tuple[str, Any]] = (),
    ) -> None:
        every = list({"grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0, **dict(options)}.items())
        if credentials is None:
            self.channel = grpc.insecure_channel(target, every, compression)
        else:
            self.channel = grpc.secure_channel(target, credentials, every, compression)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def call(
        self, method: str, message: bytes = b"", metadata: Metadata = (), timeout: float | None = _PATIENCE
    ) -> tuple[bytes, Any]:
        """A unary call: the response and the call with its metadata.

        Raises:
            grpc.RpcError
        """
        found: tuple[bytes, Any] = self.channel.unary_unary(_path(method)).with_call(
            message, metadata=metadata, timeout=timeout
        )
        return found

    def ask(self, method: str, message: bytes = b"", metadata: Metadata = ()) -> bytes:
        """The response of a unary call."""
        return self.call(method, message, metadata)[0]

    def fail(self, method: str, message: bytes = b"", metadata: Metadata = (), **options: Any) -> Any:
        """The error of a unary call."""
        try:
            response, _ = self.call(method, message, metadata, **options)
        except grpc.RpcError as error:
            return error
        raise AssertionError(f"{method} succeeds: {response!r}")

    def later(self, method: str, message: bytes = b"", **options: Any) -> Any:
        """Begin a unary call."""
        return self.channel.unary_unary(_path(method)).future(message, **{"timeout": _PATIENCE, **options})

    def stream(self, method: str, message: bytes = b"", **options: Any) -> Any:
        """Begin a call with a streamed response."""
        return self.channel.unary_stream(_path(method))(message, **{"timeout": _PATIENCE, **options})

    def upload(self, method: str, messages: Iterator[bytes]) -> bytes:
        """A call with streamed requests."""
        response: bytes = self.channel.stream_unary(_path(method))(messages, timeout=_PATIENCE)
        return response

    def talk(self, method: str, messages: Iterator[bytes]) -> Any:
        """A call with streams in both directions."""
        return self.channel.stream_stream(_path(method))(messages, timeout=_PATIENCE)


def metadata_of(pairs: Any) -> dict[str, list[str | bytes]]:
    """Metadata by key."""
    found: dict[str, list[str | bytes]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


def _path(method: str) -> str:
    return method if method.startswith("/") else f"/test.Worker/{method}"


def wait_until(happened: Callable[[], object]) -> None:
    """Wait for something outside this process."""
    end = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)
