"""The cache folder: the account key, and the certificates with their keys. Only the owner can read it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pyroadrunner.httpd.errors import TlsError

_RENEWED_IN_THE_LAST = 3  # the last third of its lifetime: 30 of 90 days, as Let's Encrypt recommends


@dataclass(frozen=True, slots=True)
class Certificate:
    """The properties of a stored certificate."""

    domains: frozenset[str]
    since: datetime
    until: datetime

    @property
    def renew_at(self) -> datetime:
        """When to renew the certificate."""
        return self.until - (self.until - self.since) / _RENEWED_IN_THE_LAST


class Store:
    """The account and the certificates of one ACME server.

    Args:
        folder: ``cache_dir``.
        directory: URL of the server; each has a folder of its own, so that a staging certificate is never used as a
            real one.

    Raises:
        TlsError: the folder can't be created.
    """

    def __init__(self, folder: Path, directory: str, domains: list[str]) -> None:
        self._folder = folder / re.sub(r"[^A-Za-z0-9.-]", "_", urlsplit(directory).netloc)
        self._domains = frozenset(domains)
        self.path = self._folder / f"{domains[0]}.pem"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as wrong:
            raise TlsError(f"http.ssl.acme.cache_dir: '{self._folder}' can't be created: {wrong.strerror}") from wrong

    def __repr__(self) -> str:
        return f"Store({self.path})"

    def account_key(self) -> ec.EllipticCurvePrivateKey:
        """The account key; generated on first use."""
        path = self._folder / "account.key"
        try:
            key = load_pem_private_key(path.read_bytes(), None)
            if isinstance(key, ec.EllipticCurvePrivateKey):
                return key
        except (OSError, ValueError):
            pass  # missing or not usable: a new account costs nothing
        made = ec.generate_private_key(ec.SECP256R1())
        self._write(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made

    def certificate(self) -> Certificate | None:
        """The stored certificate; ``None`` if it does not exist or is for other domains."""
        try:
            pem = self.path.read_bytes()
            load_pem_private_key(pem, None)
            found = x509.load_pem_x509_certificate(pem)
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (OSError, ValueError, x509.ExtensionNotFound):
            return None
        domains = frozenset(names.get_values_for_type(x509.DNSName))
        if domains != self._domains:
            return None
        return Certificate(domains, found.not_valid_before_utc, found.not_valid_after_utc)

    def usable(self, now: datetime | None = None) -> Certificate | None:
        """The stored certificate, unless it has expired."""
        found = self.certificate()
        return found if found is not None and (now or datetime.now(UTC)) < found.until else None

    def save(self, key: bytes, chain: bytes) -> None:
        """Store a certificate. Key and chain are in one file, so that they always match.

        Raises:
            TlsError: the file can't be written.
        """
        self._write(self.path, key.rstrip() + b"\n" + chain)

    def _write(self, path: Path, data: bytes) -> None:
        new = path.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as wrong:
            raise TlsError(f"http.ssl.acme.cache_dir: '{path}' can't be written: {wrong.strerror}") from wrong
