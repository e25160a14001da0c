"""``http.ssl``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

import msgspec

from pyroadrunner.config.values import StringList

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?(?<!\.)", re.ASCII)
_PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


class AcmeConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.ssl.acme``: certificates from Let's Encrypt or another ACME server. Using it means agreeing to its
    terms."""

    email: str = ""
    """E-mail address for messages of the server; required."""
    domains: StringList = msgspec.field(default_factory=list)
    """Names in the certificate; at least one."""
    cache_dir: str = "rr_cache_dir"
    """Folder for the account and the certificates; only its owner can read the files."""
    challenge_type: str = "http-01"
    """How the server validates the names: ``http-01`` (over plain HTTP) or ``tlsalpn-01`` (in a TLS handshake). Another
    value is treated as ``http-01``, with a warning."""
    alt_http_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 80
    """Port for ``http-01``; 0 = 80. The server connects to port 80, so another port needs port forwarding."""
    alt_tlsalpn_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 443
    """Port for ``tlsalpn-01``; 0 = 443. The server connects to port 443, so another port needs port forwarding."""
    use_production_endpoint: bool = False
    """Use Let's Encrypt's production server, whose certificates browsers trust, instead of its staging server."""
    directory_url: str = ""
    """URL of another ACME server (not in RoadRunner)."""
    directory_ca: str = ""
    """PEM file with the root of that server's own certificate; empty = the system's (not in RoadRunner)."""

    @property
    def directory(self) -> str:
        """URL of the server's directory."""
        return self.directory_url or (_PRODUCTION if self.use_production_endpoint else _STAGING)

    def faults(self) -> Iterable[tuple[str, str]]:
        """Missing or invalid values."""
        if not self.email:
            yield "email", "email could not be empty"
        if not self.domains:
            yield "domains", "should be at least 1 domain"
        for domain in self.domains:
            if not _NAME.fullmatch(domain):
                yield "domains", f"`{domain}` can't be validated: write a host name, not an address or a wildcard"


class SslConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.ssl``: HTTPS on its own address. Enabled by ``cert`` and ``key``, or by ``acme``."""

    address: str = "127.0.0.1:443"
    """``host:port``, ``:port`` (every IPv4 address) or ``[::1]:port``."""
    cert: str = ""
    """PEM file: the certificate, followed by its chain."""
    key: str = ""
    """PEM file: the private key, unencrypted."""
    redirect: bool = False
    """Redirect every request of ``http.address`` to HTTPS, with status 308."""
    root_ca: str = ""
    """PEM file: the roots for verifying client certificates."""
    client_auth_type: str = "no_client_cert"
    """Whether clients send a certificate: ``no_client_cert``, ``request_client_cert``, ``require_any_client_cert``,
    ``verify_client_cert_if_given``, ``require_and_verify_client_cert``. A certificate is always verified."""
    acme: AcmeConfig | None = None
    """Certificates from an ACME server, instead of ``cert`` and ``key``."""
