"""Certificates from a test's own authority, and a TLS client."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, on disk."""

    cert: Path
    key: Path

    def replace_by(self, other: Identity) -> None:
        """Replace this identity with another, one file after the other."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class Authority:
    """Signs certificates into a folder.

    Attributes:
        root: PEM file of its own certificate.
    """

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._ca = trustme.CA(organization_name=name)
        self._folder = folder
        self.root = folder / f"{name}.pem"
        self._ca.cert_pem.write_to_path(self.root)

    def server(self, name: str = "server", *, expired: bool = False) -> Identity:
        """A server identity for ``localhost`` and ``127.0.0.1``; ``name`` is the name of its files."""
        end = datetime(2001, 1, 1, tzinfo=UTC) if expired else None
        leaf = self._ca.issue_cert("localhost", "127.0.0.1", common_name=name, not_after=end)
        return self._written(leaf, name)

    def client(self, name: str) -> Identity:
        """A client identity with this name."""
        return self._written(self._ca.issue_cert(f"{name}@example.org", common_name=name), name)

    def context(self, client: Identity | None = None, *, alpn: str = "http/1.1") -> ssl.SSLContext:
        """The TLS context of a client that trusts this authority."""
        context = ssl.create_default_context(cafile=str(self.root))
        context.set_alpn_protocols([alpn])
        if client is not None:
            context.load_cert_chain(client.cert, client.key)
        return context

    def _written(self, leaf: trustme.LeafCert, name: str) -> Identity:
        made = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        made.cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(made.key)
        return made


def common_name(connection: ssl.SSLSocket) -> str:
    """The common name in a server's certificate; empty if it has only other names."""
    shown: Any = connection.getpeercert()
    found = [value for part in shown["subject"] for key, value in part if key == "commonName"]
    return str(found[0]) if found else ""


class Loop(threading.Thread):
    """Sends requests over TLS continuously and counts the results.

    Attributes:
        answers: number of responses by the name in the certificate of their connection.
        errors: all errors, as text.
    """

    def __init__(self, port: int, context: ssl.SSLContext, *, keep: bool) -> None:
        """
        Args:
            keep: whether to use a connection until the server closes it; otherwise each request has its own.
        """
        super().__init__(daemon=True)
        self._port = port
        self._context = context
        self._keep = keep
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self.answers: Counter[str] = Counter()
        self.errors: list[str] = []

    def run(self) -> None:
        connection: http.client.HTTPSConnection | None = None
        name = ""
        while not self._stopped.is_set():
            try:
                if connection is None:
                    connection = http.client.HTTPSConnection("localhost", self._port, context=self._context, timeout=20)
                    connection.connect()
                    assert isinstance(connection.sock, ssl.SSLSocket)
                    name = common_name(connection.sock)
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                answer.close()
                if answer.status != 200:
                    self.errors.append(f"status {answer.status}")
                if answer.will_close or not self._keep:
                    connection.close()
                    connection = None
                with self._changed:
                    self.answers[name] += 1
                    self._changed.notify_all()
            except (OSError, http.client.HTTPException) as wrong:
                self.errors.append(repr(wrong))
                connection = None
        if connection is not None:
            connection.close()

    def wait_for(self, name: str, count: int = 1) -> None:
        """Return once this many responses arrived on connections with this certificate."""
        with self._changed:
            seen = self.answers[name]
            assert self._changed.wait_for(lambda: self.answers[name] >= seen + count, 20), self.errors

    def stop(self) -> None:
        self._stopped.set()
        self.join()
