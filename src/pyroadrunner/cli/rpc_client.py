"""Calls methods of the running server for ``rr`` commands: blocking, over one connection, in JSON."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, cast

from pyroadrunner.config.load import LoadOptions, load, load_without_file, prepare
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.goridge.address import Address, TcpAddress, parse_address
from pyroadrunner.goridge.errors import RemoteFrameError
from pyroadrunner.goridge.frame import Flag, Frame
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.goridge.rpc import MAX_SEQUENCE, Answer, encode_call, read_answer

DEFAULT_LISTEN = "tcp://127.0.0.1:6001"  # that of RpcConfig
TIMEOUT = 10.0  # seconds for connecting, and for an answer nobody has to work for
_CHUNK = 1 << 16


class NoRpc(RoadRunnerError):
    """The config has no ``rpc`` section, so the server can't be reached."""

    def __init__(self) -> None:
        super().__init__("rpc service not specified in the configuration. Tip: add\n rpc:\n\r listen: rr_rpc_address")


class Unreachable(RoadRunnerError):
    """Nobody answers at the address of ``rpc.listen``."""


class CallFailed(RoadRunnerError):
    """The server answered with an error: its text."""


def server_address(options: LoadOptions) -> Address:
    """Where the config says the server listens for calls.

    Without a ``.rr.yaml``, when none was named: the default address, where ``rr serve worker.php`` listens.

    Raises:
        ConfigError: the config can't be read, or its ``rpc`` section has faults.
        NoRpc, InvalidAddress.
    """
    named = options.path != LoadOptions.path
    options = replace(prepare(options), require_version=False)
    if not named and not os.path.exists(options.path):
        raw = load_without_file({"rpc": {}}, options, source="the defaults")
    else:
        raw = load(options)
    if not raw.present("rpc"):
        raise NoRpc
    return parse_address(_listen(raw))


def _listen(raw: RawConfig) -> str:
    section = raw.data["rpc"]
    if isinstance(section, dict) and section.keys() <= {"listen"} and isinstance(section.get("listen", ""), str):
        return section.get("listen") or DEFAULT_LISTEN
    # Only a section that looks wrong pays for the types: they take a quarter of the time of `rr workers`.
    from pyroadrunner.config.check import check
    from pyroadrunner.plugins.rpc.config import RpcConfig

    checked = check(raw, {"rpc": RpcConfig})
    checked.refuse_faults()
    return cast("RpcConfig", checked.sections["rpc"]).listen


class RpcClient:
    """A connection to the server. Use it in a ``with``.

    Raises:
        Unreachable: nobody listens at the address.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._sequence = 0
        self._frames = FrameReader()
        self._read: list[Frame] = []
        self._socket = _connect(address)

    def __repr__(self) -> str:
        return f"RpcClient({self.address}, calls={self._sequence})"

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._socket.close()

    def call(self, method: str, argument: Any = True, timeout: float | None = TIMEOUT) -> Any:
        """The result of a method.

        Args:
            timeout: seconds to wait for the answer; ``None`` = as long as it takes.

        Raises:
            CallFailed: the server says no.
            Unreachable: the connection was cut, or the answer did not come in time.
        """
        sequence = self._send(method, argument)
        answer = self._receive(timeout)
        while answer.sequence != sequence:  # of a call whose answer was given up
            answer = self._receive(timeout)
        if answer.failed:
            raise CallFailed(answer.body.decode("utf-8", "replace"))
        return json.loads(answer.body)

    def each(
        self, method: str, arguments: Iterable[Any], timeout: float | None = TIMEOUT
    ) -> Iterator[tuple[Any, Any | CallFailed]]:
        """Call a method once for each argument, all at the same time.

        Yields:
            argument and result, or the error the server answered with, in the order in which the calls end.

        Raises:
            Unreachable: as for :meth:`call`.
        """
        waiting = {self._send(method, argument): argument for argument in arguments}
        while waiting:
            answer = self._receive(timeout)
            if answer.sequence in waiting:
                failed = CallFailed(answer.body.decode("utf-8", "replace")) if answer.failed else None
                yield waiting.pop(answer.sequence), failed or json.loads(answer.body)

    def _send(self, method: str, argument: Any) -> int:
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        frame = encode_call(self._sequence, method.encode(), json.dumps(argument).encode(), Flag.JSON)
        try:
            self._socket.settimeout(TIMEOUT)
            self._socket.sendall(frame)
        except OSError as error:
            raise Unreachable(f"{self.address} cut the connection: {_words(error)}") from error
        return self._sequence

    def _receive(self, timeout: float | None) -> Answer:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._read:
            try:
                self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.001))
                data = self._socket.recv(_CHUNK)
            except TimeoutError as error:
                raise Unreachable(f"the server at {self.address} did not answer within {timeout:g} s") from error
            except OSError as error:
                raise Unreachable(f"{self.address} cut the connection: {_words(error)}") from error
            if not data:
                raise Unreachable(f"the server at {self.address} closed the connection")
            try:
                self._read += self._frames.feed(data)
            except RemoteFrameError as error:
                raise Unreachable(f"{self.address} is not the RPC of a RoadRunner server: {error}") from error
        try:
            return read_answer(self._read.pop(0))
        except RemoteFrameError as error:
            raise Unreachable(f"{self.address} is not the RPC of a RoadRunner server: {error}") from error


def _connect(address: Address) -> socket.socket:
    """Errors begin as Go's do: scripts look for ``connection refused``."""
    hint = "is the server running (rr serve), with this `rpc.listen`?"
    if isinstance(address, TcpAddress):
        where = address.to_connect()
        try:
            return socket.create_connection((where.host, where.port), TIMEOUT)
        except socket.gaierror as error:
            raise Unreachable(f"dial tcp: lookup {where.host}: {_words(error)}\n{hint}") from error
        except OSError as error:
            raise Unreachable(f"dial tcp {where.host_port}: connect: {_words(error)}\n{hint}") from error
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT)
    try:
        sock.connect(address.path)
    except OSError as error:
        sock.close()
        raise Unreachable(f"dial unix {address.path}: connect: {_words(error)}\n{hint}") from error
    return sock


def _words(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
