"""A real nginx in its own folder, in front of the server under test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import TracebackType

import pytest

from support.ports import free_port

_CONFIG = """
daemon off;
worker_processes 1;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""


def require_nginx() -> str:
    """Path of nginx. Without one the test is skipped on a laptop and fails in CI (``CI`` is set)."""
    found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed, and in CI it has to be", pytrace=False)
        pytest.skip("nginx is not installed")
    return found


class Nginx:
    """nginx, started and listening; stopped at the end.

    Args:
        folder: for the files it writes.
        server: directives of its only ``server``.
        http: directives outside it, such as ``upstream``.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self, folder: Path, server: str, http: str = "") -> None:
        self.port = free_port()
        self._log = folder / "nginx.log"
        config = folder / "nginx.conf"
        user = f"user {_name()};\n" if os.geteuid() == 0 else ""
        config.write_text(user + _CONFIG.format(folder=folder, port=self.port, server=server, http=http))
        self._command = [require_nginx(), "-c", str(config), "-p", str(folder), "-e", "stderr"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def __enter__(self) -> Nginx:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        while True:
            assert self._process.poll() is None, self.log
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except ConnectionRefusedError:
                continue
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)


def _name() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
