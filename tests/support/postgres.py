"""A real PostgreSQL server, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.ports import free_port
from support.programs import PATIENCE, Program
from support.tls import Identity

USER = "postgres"  # of the database, and of the server's process if the tests run as root, which the server refuses


def tool(name: str) -> str:
    """Path of a program of PostgreSQL; Debian keeps them outside of PATH. Without it the test is skipped on a laptop
    and fails in CI (``CI`` is set)."""
    found = shutil.which(name) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))[-1:]), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} of PostgreSQL is not installed, and in CI it has to be", pytrace=False)
        pytest.skip(f"{name} of PostgreSQL is not installed")
    return found


class PostgresServer:
    """A server on loopback, with a database ``postgres``. Without passwords, but with TLS if it has a certificate.

    Attributes:
        port: its port.
        program: the process.
    """

    def __init__(self, folder: Path, tls: Identity | None = None) -> None:
        self.port = free_port()
        # Not in `folder`: pytest closes the folders of its tests to other users.
        self._place = TemporaryDirectory(prefix="postgres-")
        self._data = Path(self._place.name)
        if os.geteuid() == 0:
            account = pwd.getpwnam(USER)
            os.chown(self._data, account.pw_uid, account.pw_gid)
        options = ["-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale", "--wal-segsize=1"]
        subprocess.run(
            as_user([tool("initdb"), *options, "-D", str(self._data)]),
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            cwd="/",
        )
        fixed = ["listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off"]
        if tls is not None:
            fixed += ["ssl=on", f"ssl_cert_file={self._own(tls.cert)}", f"ssl_key_file={self._own(tls.key)}"]
        settings = [part for setting in fixed for part in ("-c", setting)]
        self.program = Program(as_user([tool("postgres"), "-D", str(self._data), *settings]), folder / "postgres.log")

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        self._place.cleanup()

    @property
    def dsn(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        self.program.start()
        deadline = time.monotonic() + PATIENCE
        ready = [tool("pg_isready"), "-q", "-U", USER, "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(ready, stdin=subprocess.DEVNULL, timeout=30, check=False).returncode:
            assert not self.program.ended, self.program.log.read_text()
            assert time.monotonic() < deadline, self.program.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, as a crash would: connections break, and the next start recovers. Idempotent."""
        if not self.program.ended:
            os.kill(self.program.pid, signal.SIGQUIT)
            deadline = time.monotonic() + PATIENCE
            while not self.program.ended and time.monotonic() < deadline:
                time.sleep(0.02)
        self.program.kill()

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; its rows, with ``|`` between the columns."""
        to = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database]
        done = subprocess.run(
            [tool("psql"), *to, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _own(self, path: Path) -> Path:
        """A copy in the server's folder, which it accepts as its own."""
        copy = self._data / path.name
        copy.write_bytes(path.read_bytes())
        copy.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(copy, USER, USER)
        return copy


@contextmanager
def postgres_server(folder: Path, tls: Identity | None = None) -> Iterator[PostgresServer]:
    """A running server; with an identity it accepts TLS."""
    server = PostgresServer(folder, tls)
    try:
        server.start()
        yield server
    finally:
        server.remove()


def as_user(command: Sequence[str]) -> list[str]:
    """The command, run by a user who may run a server."""
    if os.geteuid() != 0:
        return list(command)
    # The signal stops the server when a time limit has ended the tests.
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--pdeathsig=QUIT", *command]
