"""A real ACME server for tests: pebble, from Let's Encrypt."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType

from support.go_tools import require_go_tool
from support.ports import free_port
from support.server import environment
from support.tls import Authority


class Pebble:
    """pebble, started and ready; stopped at the end.

    Args:
        folder: for its config.
        http_port: the port on 127.0.0.1 for its http-01 challenges.
        tls_port: the port for its tlsalpn-01 challenges.
        lifetime: seconds its certificates are valid.

    Attributes:
        directory: its URL.
        root: PEM file with the root of its own certificate.
    """

    def __init__(self, folder: Path, http_port: int = 1, lifetime: int = 3600, tls_port: int = 1) -> None:
        authority = Authority(folder, "pebble")
        identity = authority.server("pebble-server")
        port = free_port()
        self.root = authority.root
        self.directory = f"https://localhost:{port}/dir"
        self._manage = f"https://localhost:{free_port()}"
        self._config = folder / "pebble.json"
        self._log = folder / "pebble.log"
        self._config.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"127.0.0.1:{port}",
                        "managementListenAddress": self._manage.removeprefix("https://").replace(
                            "localhost", "127.0.0.1"
                        ),
                        "certificate": str(identity.cert),
                        "privateKey": str(identity.key),
                        "httpPort": http_port,
                        "tlsPort": tls_port,
                        "profiles": {"default": {"description": "for tests", "validityPeriod": lifetime}},
                    }
                }
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text()

    def issuer(self, folder: Path) -> Path:
        """PEM file with the root that signs its certificates; it creates a new root at each start."""
        path = folder / "issuer.pem"
        path.write_bytes(self._get(f"{self._manage}/roots/0"))
        return path

    def __enter__(self) -> Pebble:
        command = [require_go_tool("pebble"), "-config", str(self._config)]
        env = environment({"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "15"})  # it rejects 15 % of its nonces
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        while True:
            assert self._process.poll() is None, self.log
            try:
                self._get(self.directory)
            except OSError:
                continue
            return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(20)

    def _get(self, url: str) -> bytes:
        context = ssl.create_default_context(cafile=str(self.root))
        with urllib.request.urlopen(url, context=context, timeout=5) as answer:
            data: bytes = answer.read()
            return data
