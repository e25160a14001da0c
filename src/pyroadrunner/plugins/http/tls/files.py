"""The PEM files of a TLS listener: are they good, and have they changed?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from pyroadrunner.log import Log
from pyroadrunner.plugins.http.errors import TlsError
from pyroadrunner.plugins.http.tls.config import SslConfig

ClientAuth = Literal["none", "optional", "required"]
Stamp = tuple[tuple[int, int, int] | None, ...]

# A certificate that is shown is verified, always: the TLS engine knows nothing in between. So two of RoadRunner's words
# mean more here than there; what they let in, the stricter ones do not.
_CLIENT_AUTH: dict[str, ClientAuth] = {
    "request_client_cert": "optional",
    "verify_client_cert_if_given": "optional",
    "require_any_client_cert": "required",
    "require_and_verify_client_cert": "required",
}
_STRICTER = ("request_client_cert", "require_any_client_cert")
_NO_CLIENT_AUTH = ("", "no_client_cert", "no_client_certs")  # the second form is that of RoadRunner's documentation

log = Log("http")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a TLS listener is configured with.

    Attributes:
        cert: path of the certificate and its chain.
        key: path of its private key.
        root_ca: path of the roots that clients are verified against; empty without.
        client: whether clients show a certificate.
    """

    cert: str
    key: str
    root_ca: str = ""
    client: ClientAuth = "none"

    def check(self) -> None:
        """Look whether a handshake could be made with them.

        Raises:
            TlsError: which file is not good, and why.
        """
        import ssl  # only where it is used: a server without TLS starts without it

        for what, path in (("key", self.key), ("cert", self.cert), ("root_ca", self.root_ca)):
            if path and not os.path.exists(path):
                raise TlsError(f"http.ssl: {what} file '{path}' does not exists")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.cert, self.key, password=_refuse_password)
        except (OSError, ValueError) as wrong:  # an SSLError is an OSError
            raise TlsError(f"http.ssl: {_why(self.cert, self.key, wrong)}") from wrong
        if self.root_ca:
            try:
                context.load_verify_locations(self.root_ca)
            except (OSError, ValueError) as wrong:
                raise TlsError(f"http.ssl: root_ca file '{self.root_ca}' has no certificate: {wrong}") from wrong

    def stamp(self) -> Stamp:
        """Equal as long as no file was changed or replaced."""
        return tuple(_stamp(path) for path in (self.cert, self.key, self.root_ca) if path)


def files_of(config: SslConfig) -> TlsFiles | None:
    """The files that the config names; ``None`` when it does not ask for TLS.

    Raises:
        TlsError: one of ``cert`` and ``key`` is missing.
    """
    if not config.cert and not config.key:
        return None
    if not config.cert or not config.key:
        there, missing = ("cert", "key") if config.cert else ("key", "cert")
        raise TlsError(f"http.ssl.{there} is set and http.ssl.{missing} is not: TLS needs both")
    return TlsFiles(config.cert, config.key, config.root_ca, _client_auth(config))


def _client_auth(config: SslConfig) -> ClientAuth:
    name = config.client_auth_type
    if name in _NO_CLIENT_AUTH:
        if config.root_ca:
            log.warning("http.ssl.root_ca has no effect: client_auth_type asks for no certificate")
        return "none"
    auth = _CLIENT_AUTH.get(name)
    if auth is None:
        log.warning("http.ssl.client_auth_type is unknown: no certificate is asked for", value=name)
        return "none"
    if not config.root_ca:
        log.warning("http.ssl.client_auth_type has no effect without root_ca", value=name)
        return "none"
    if name in _STRICTER:
        log.warning(
            "a certificate that a client shows is verified, also with this http.ssl.client_auth_type", value=name
        )
    return auth


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
