"""The PEM files of a TLS listener: are they good, and have they changed?"""

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

    def check(self) -> list[str]:
        """Look whether a handshake could be made with them.

        Returns:
            What is to be said of files that can be used, such as that the certificate has expired.

        Raises:
            TlsError: which files are not good, and why.
        """
        problems = look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)
        fatal = [f"{self.section}: {problem.message}" for problem in problems if problem.fatal]
        if fatal:
            raise TlsError("\n".join(fatal))
        return [f"{self.section}: {problem.message}" for problem in problems]

    def stamp(self) -> Stamp:
        """Equal as long as no file was changed or replaced."""
        return tuple(_stamp(path) for path in (self.cert, self.key, self.root_ca) if path)


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
