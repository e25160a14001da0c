"""The TLS settings of a port that a plugin has for itself."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.httpd.tls import ClientAuth, TlsFiles
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError

# The engine verifies each client certificate. So two of these names, which are RoadRunner's, are stricter here.
_CLIENT_AUTH: dict[str, ClientAuth] = {
    "no_client_cert": "none",
    "request_client_cert": "optional",
    "verify_client_cert_if_given": "optional",
    "require_any_client_cert": "required",
    "require_and_verify_client_cert": "required",
}


class PortTlsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``tls`` of a section with a port of its own. Enabled by ``cert`` and ``key``."""

    cert: str = ""
    """PEM file: the certificate, followed by its chain."""
    key: str = ""
    """PEM file: the private key, unencrypted."""
    root_ca: str = ""
    """PEM file: the roots for verifying client certificates."""
    client_auth_type: str = "no_client_cert"
    """Whether clients send a certificate: ``no_client_cert``, ``request_client_cert``, ``require_any_client_cert``,
    ``verify_client_cert_if_given``, ``require_and_verify_client_cert``. A certificate is always verified."""

    @property
    def enabled(self) -> bool:
        return bool(self.cert and self.key)

    def files(self, section: str) -> TlsFiles | None:
        """The files; ``None`` = TLS is off.

        Args:
            section: config key of the files, for error messages.
        """
        if not self.enabled:
            return None
        return TlsFiles(self.cert, self.key, self.root_ca, _CLIENT_AUTH[self.client_auth_type], section)

    def faults(self) -> Iterable[tuple[str, str]]:
        """Half a configuration, which would serve without TLS or without the check of clients."""
        if bool(self.cert) != bool(self.key):
            there, missing = ("cert", "key") if self.cert else ("key", "cert")
            yield there, f"is set and `{missing}` is not: TLS needs both"
        if self.client_auth_type not in _CLIENT_AUTH:
            yield "client_auth_type", f"is `{self.client_auth_type}`; known are {', '.join(_CLIENT_AUTH)}"
        elif self.client_auth_type != "no_client_cert" and not self.root_ca:
            yield "client_auth_type", "needs `root_ca`: no client could be verified"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Roots without a use."""
        if self.root_ca and self.client_auth_type == "no_client_cert":
            yield "root_ca", "has no effect: `client_auth_type` requests no certificate"

    def problems(self) -> list[Problem]:
        """Problems with the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca) if self.enabled else []


def port_faults(address: str, tls: PortTlsConfig) -> Iterable[tuple[str, str]]:
    """Faults of a section's ``address`` and ``tls``: key and text.

    Args:
        address: empty = no port of its own.
    """
    if not address:
        if tls.cert or tls.key:
            yield "tls", "has no effect without `address`: the HTTP port has its certificate in http.ssl"
        return
    try:
        endpoint = parse_endpoint(address, "address")
    except ListenError as wrong:
        yield "address", str(wrong).removeprefix("address ")
        return
    if tls.enabled and not isinstance(endpoint, TcpAddress):
        yield "address", f"`{address}` is no TCP address: TLS is served over TCP only"
