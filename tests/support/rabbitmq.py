"""A real RabbitMQ in a folder of its own: no system service, no fixed port, no epmd that stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.ports import free_port
from support.programs import running_program, wait_for_port
from support.tls import Authority

LARGEST_MESSAGE = 6_000_000  # bytes
_PATIENCE = 90.0  # seconds; Erlang starts slowly on a busy machine
# Debian's /usr/sbin/rabbitmq-server changes the user and writes to /var; these are the scripts behind it.
_SCRIPTS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")


class RabbitMq:
    """One node.

    Attributes:
        port: for plain connections.
        tls_port: 0 = none.
    """

    def __init__(self, folder: Path, command: str, epmd: int, authority: Authority | None = None) -> None:
        self.port, self.tls_port = free_port(), free_port() if authority is not None else 0
        self._folder = folder
        self._command = command
        self._log = folder / "rabbitmq.log"
        self._process: subprocess.Popen[bytes] | None = None
        config = ["loopback_users = none", "vm_memory_high_watermark.absolute = 2GB", "disk_free_limit.absolute = 10MB"]
        config.append(f"max_message_size = {LARGEST_MESSAGE}")
        if authority is not None:
            identity = authority.server("rabbitmq")
            config += [
                f"listeners.ssl.default = 127.0.0.1:{self.tls_port}",
                f"ssl_options.cacertfile = {authority.root}",
                f"ssl_options.certfile = {identity.cert}",
                f"ssl_options.keyfile = {identity.key}",
                "ssl_options.verify = verify_peer",
                "ssl_options.fail_if_no_peer_cert = true",
            ]
        (folder / "rabbitmq.conf").write_text("\n".join(config) + "\n", encoding="utf-8")
        (folder / "plugins").write_text("[].", encoding="utf-8")
        self._env = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(epmd),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2",
        }

    @property
    def address(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, with what it had stored, and wait until it serves."""
        at = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._command], env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while b"Server startup complete" not in self._log.read_bytes()[at:]:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with all its processes. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        os.killpg(process.pid, how)  # the script is the first process of the group
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self._wait_until_gone()

    def kill(self) -> None:
        """Kill it (``SIGKILL``). Idempotent."""
        self.stop(signal.SIGKILL)

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                    return
            assert time.monotonic() < deadline, "RabbitMQ still listens"
            time.sleep(0.05)


@contextmanager
def rabbitmq(folder: Path, *, authority: Authority | None = None) -> Iterator[RabbitMq]:
    """A running node, with the port mapper that it needs."""
    command = next((found for one in _SCRIPTS if (found := shutil.which("rabbitmq-server", path=one))), None)
    epmd = shutil.which("epmd")
    if command is None or epmd is None:
        if os.environ.get("CI"):
            pytest.fail("rabbitmq-server is not installed, and in CI it has to be", pytrace=False)
        pytest.skip("rabbitmq-server is not installed")
    port = free_port()
    arguments: Sequence[str] = [epmd, "-port", str(port), "-address", "127.0.0.1"]
    with running_program(arguments, folder / "epmd.log") as mapper:
        wait_for_port(port, mapper)
        node = RabbitMq(folder, command, port, authority)
        node.start()
        try:
            yield node
        finally:
            node.kill()


@contextmanager
def shared_rabbitmq(folder: Path) -> Iterator[dict[str, Any]]:
    """A node for :class:`support.brokers.Brokers`, with and without TLS."""
    authority = Authority(folder, "rabbitmq-ca")
    client = authority.client("rabbitmq-client")
    with rabbitmq(folder, authority=authority) as node:
        yield {
            "port": node.port,
            "tls_port": node.tls_port,
            "root": str(authority.root),
            "cert": str(client.cert),
            "key": str(client.key),
        }
