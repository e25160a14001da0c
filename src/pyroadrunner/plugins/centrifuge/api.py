"""The connection to Centrifugo's gRPC API. The only module that imports ``grpc``.

The library connects, and connects again for ever, with growing waits. This watches its state, so that the log says when
the API is away and when it is back, also while no worker calls it. A call does not wait for a connection: while there
is none, it fails at once with the reason.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError

from pyroadrunner.grpcd import StatusCode, code_name
from pyroadrunner.log import Log
from pyroadrunner.plugins.centrifuge.config import CentrifugeConfig
from pyroadrunner.plugins.centrifuge.errors import ApiFailed, UnusableFiles
from pyroadrunner.plugins.centrifuge.figures import Figures

SERVICE = "centrifugal.centrifugo.api.CentrifugoApi"
_MAX_MESSAGE = 64 << 20  # bytes, as for a call over RPC
_PROBE_TIMEOUT = 1.0  # seconds
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # the longest time for one attempt
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),  # a restarted Centrifugo may have another address
    # A dead link is noticed by its next call, after the second of these times. Servers in Go refuse pings that come
    # more often than every five minutes.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.enable_http_proxy", 0),  # variables for a proxy are for the web, not for a neighbour
)
_REASON = "last error: "
_PREAMBLE = re.compile(r"(?:[A-Z_]+: )?(?:(?:ipv4|ipv6|unix):\S+: )?")  # status and address; the log has the address
_END = re.compile(r": OK$")  # of TLS errors

log = Log("centrifuge")


class Api:
    """Calls Centrifugo's API.

    Args:
        figures: counts the calls.
    """

    def __init__(self, config: CentrifugeConfig, figures: Figures) -> None:
        self._config = config
        self._figures = figures
        self._calls: dict[str, Any] = {}
        self._metadata = (("authorization", f"apikey {config.api_key}"),) if config.api_key else ()
        self._compression = grpc.Compression.Gzip if config.use_compressor else None
        self._timeout = config.api_timeout or None
        self._refused = False
        self._channel: grpc.aio.Channel | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._files = _Files()

    def __repr__(self) -> str:
        state = "connected" if self._figures.connected else "not connected"
        return f"Api({self._config.api_target}, {state})"

    def start(self) -> None:
        """Connect in the background.

        Raises:
            UnusableFiles: TLS does not work with the configured files.
        """
        self._files = _files(self._config)
        self._use(_channel(self._config, self._files))

    async def stop(self) -> None:
        """Disconnect; running calls are cancelled. Idempotent."""
        channel, self._channel = self._channel, None
        self._calls.clear()
        tasks = [task for task in (self._watching, *self._closing) if task is not None]
        self._watching = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if channel is not None:
            await channel.close()
        self._figures.connected = False

    def reload_certificates(self) -> None:
        """Connect again if the TLS files have changed. Running calls end on the old connection. Never raises: files
        that can't be used are logged, and the connection stays."""
        try:
            files = _files(self._config)
            if files == self._files or self._channel is None:
                return
            channel = _channel(self._config, files)
        except UnusableFiles as wrong:
            log.error("Centrifugo's API keeps its old certificate", error=str(wrong))
            return
        old, self._files = self._channel, files
        if self._watching is not None:
            self._watching.cancel()
        self._use(channel)
        closing = asyncio.create_task(old.close(self._timeout), name="centrifuge api, old connection")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        log.info("Centrifugo's API gets the changed certificates", address=self._config.api_target)

    def _use(self, channel: grpc.aio.Channel) -> None:
        self._calls.clear()
        self._channel = channel
        self._watching = asyncio.create_task(self._watch(channel), name="centrifuge api")

    async def call(self, method: str, request: Any, response: Any) -> Any:
        """Call a method.

        Args:
            method: of the API, without its service.
            request: the message.
            response: class of the answer.

        Raises:
            ApiFailed: there was no answer. An error in the answer is none.
        """
        run = self._calls.get(method) or self._prepare(method)
        try:
            answer = await run(request, timeout=self._timeout, metadata=self._metadata, compression=self._compression)
        except grpc.aio.AioRpcError as error:
            code = error.code().value[0]
            self._count(method, code)
            raise ApiFailed(code_name(code), error.details() or "") from error
        try:
            message = response.FromString(answer)
        except DecodeError as error:
            self._count(method, StatusCode.INTERNAL)
            raise ApiFailed(code_name(StatusCode.INTERNAL), f"the answer is no {method}Response: {error}") from error
        self._count(method, StatusCode.OK)
        return message

    def _prepare(self, method: str) -> Any:
        if self._channel is None:
            raise ApiFailed(code_name(StatusCode.UNAVAILABLE), "the server stops")
        # Not its deserializer: the library turns an answer that can't be read into None.
        run = self._calls[method] = self._channel.unary_unary(
            f"/{SERVICE}/{method}", request_serializer=lambda message: message.SerializeToString()
        )
        return run

    def _count(self, method: str, code: int) -> None:
        self._figures.api[method, code_name(code)] += 1
        refused = code == StatusCode.UNAUTHENTICATED
        if refused and not self._refused:
            todo = "correct centrifuge.api_key" if self._config.api_key else "set centrifuge.api_key"
            log.error(f"Centrifugo's API refuses the key; {todo}", address=self._config.api_target)
        self._refused = refused

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        try:
            await self._follow(channel)
        except Exception as error:  # a bug of the library: calls still connect
            log.error("the connection to Centrifugo's API is no longer watched", error=repr(error))

    async def _follow(self, channel: grpc.aio.Channel) -> None:
        away = False  # and the log says so
        while True:
            state = channel.get_state(try_to_connect=True)
            self._figures.connected = state is grpc.ChannelConnectivity.READY
            if self._figures.connected:
                if away:
                    log.info("Centrifugo's API is connected again", address=self._config.api_target)
                else:
                    log.debug("Centrifugo's API is connected", address=self._config.api_target)
                away = False
            elif state is grpc.ChannelConnectivity.TRANSIENT_FAILURE and not away:
                reason = await _reason(channel)
                if reason:
                    away = True
                    log.error(
                        "no connection to Centrifugo's API; retrying", address=self._config.api_target, error=reason
                    )
            await channel.wait_for_state_change(state)


async def _reason(channel: grpc.aio.Channel) -> str:
    """Why there is no connection; empty if there is one by now. Only a call tells: it fails at once."""
    call: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
    try:
        await call(b"", timeout=_PROBE_TIMEOUT)
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return reason_in(error.details() or "")
    return ""


def reason_in(details: str) -> str:
    """The reason in the text of an error, such as ``Failed to connect to remote host: Connection refused``, without the
    library's preamble."""
    return _END.sub("", _PREAMBLE.sub("", details.rpartition(_REASON)[2], count=1)) or "no answer"


@dataclass(frozen=True, slots=True)
class _Files:
    """The content of the TLS files; ``None`` = no such file."""

    key: bytes | None = None
    cert: bytes | None = None
    root_ca: bytes | None = None


def _files(config: CentrifugeConfig) -> _Files:
    tls = config.tls
    if tls is None:
        return _Files()
    for problem in tls.problems():
        if problem.fatal:
            raise UnusableFiles(problem.key, problem.message)
        log.warning(f"centrifuge.tls.{problem.key}: {problem.message}")
    return _Files(_read("key", tls.key), _read("cert", tls.cert), _read("root_ca", tls.root_ca or _system_roots()))


def _channel(config: CentrifugeConfig, files: _Files) -> grpc.aio.Channel:
    options: list[tuple[str, Any]] = list(_OPTIONS)
    if config.tls is None:
        return grpc.aio.insecure_channel(config.api_target, options=options)
    if config.tls.server_name:
        options.append(("grpc.ssl_target_name_override", config.tls.server_name))
    credentials = grpc.ssl_channel_credentials(files.root_ca, files.key, files.cert)
    return grpc.aio.secure_channel(config.api_target, credentials, options=options)


def _system_roots() -> str:
    """File with the authorities of the system; empty = unknown, then the library's own are used."""
    paths = ssl.get_default_verify_paths()
    candidates: Sequence[str | None] = (paths.cafile, paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt")
    return next((path for path in candidates if path and os.path.exists(path)), "")


def _read(key: str, path: str) -> bytes | None:
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as wrong:
        raise UnusableFiles(key, f"{path}: {(wrong.strerror or str(wrong)).lower()}") from wrong
