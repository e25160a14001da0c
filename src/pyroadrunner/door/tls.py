"""The PEM files of a TLS listener: are they good, and have they changed?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pyroadrunner.door.errors import TlsError

ClientAuth = Literal["none", "optional", "required"]
Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a TLS listener is configured with.

    Attributes:
        cert: path of the certificate and its chain.
        key: path of its private key.
        root_ca: path of the roots that clients are verified against; empty without.
        client: whether clients show a certificate.
        section: what the config calls it all, for the texts of errors.
    """

    cert: str
    key: str
    root_ca: str = ""
    client: ClientAuth = "none"
    section: str = "http.ssl"

    def check(self) -> None:
        """Look whether a handshake could be made with them.

        Raises:
            TlsError: which file is not good, and why.
        """
        import ssl  # only where it is used: a server without TLS starts without it

        for what, path in (("key", self.key), ("cert", self.cert), ("root_ca", self.root_ca)):
            if path and not os.path.exists(path):
                raise TlsError(f"{self.section}: {what} file '{path}' does not exists")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key, password=_refuse_password)
        except (OSError, ValueError) as wrong:  # an SSLError is an OSError
            raise TlsError(f"{self.section}: {_why(self.cert, self.key, wrong)}") from wrong
        if self.root_ca:
            try:
                context.load_verify_locations(self.root_ca)
            except (OSError, ValueError) as wrong:
                raise TlsError(f"{self.section}: root_ca file '{self.root_ca}' has no certificate: {wrong}") from wrong

    def stamp(self) -> Stamp:
        """Equal as long as no file was changed or replaced."""
        return tuple(_stamp(path) for path in (self.cert, self.key, self.root_ca) if path)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _refuse_password() -> str:
    raise ValueError("the key is encrypted; write it without a password (openssl pkey -in KEY -out PLAIN)")


def _why(cert: str, key: str, wrong: Exception) -> str:
    reason = getattr(wrong, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"the key '{key}' is not that of the certificate '{cert}'"
    if isinstance(wrong, PermissionError):
        return f"cert '{cert}' or key '{key}' can't be read: permission denied"
    if reason:
        return f"cert '{cert}' and key '{key}' are no PEM files that fit: {reason}"
    return f"cert '{cert}' with key '{key}': {wrong}"
