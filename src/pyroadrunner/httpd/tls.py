"""The PEM files of a TLS listener: check them and detect changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pyroadrunner.certificates import look_at
from pyroadrunner.httpd.errors import TlsError

ClientAuth = Literal["none", "optional", "required"]
Stamp = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The TLS configuration of a listener.

    Attributes:
        cert: path of the certificate and its chain.
        key: path of its private key.
        root_ca: path of the CA certificates that clients are verified against; empty = none.
        client: whether clients present a certificate.
        section: config key of these files, for error messages.
    """

    cert: str
    key: str
    root_ca: str = ""
    client: ClientAuth = "none"
    section: str = "http.ssl"

    def check(self) -> list[str]:
        """Check whether a TLS handshake would work with these files.

        Returns:
            Warnings about usable files, such as an expired certificate.

        Raises:
            TlsError: files are invalid; the text names each file and the reason.
        """
        problems = look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)
        fatal = [f"{self.section}: {problem.message}" for problem in problems if problem.fatal]
        if fatal:
            raise TlsError("\n".join(fatal))
        return [f"{self.section}: {problem.message}" for problem in problems]

    def stamp(self) -> Stamp:
        """A value that changes when a file is changed or replaced."""
        return tuple(_stamp(path) for path in (self.cert, self.key, self.root_ca) if path)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
