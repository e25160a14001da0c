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
    """``http.ssl.acme``: certificates from Let's Encrypt or another ACME server. Using it is to agree to its terms."""

    email: str = ""
    """Address that the server writes to; required."""
    domains: StringList = msgspec.field(default_factory=list)
    """The names in the certificate; at least one."""
    cache_dir: str = "rr_cache_dir"
    """Folder for the account and the certificates; only its owner can read what is in it."""
    challenge_type: str = "http-01"
    """How the names are shown to be ours: ``http-01`` (the server asks over plain HTTP) or ``tlsalpn-01`` (it asks in
    a TLS handshake). Another word is taken for ``http-01``, with a warning."""
    alt_http_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 80
    """Port on which the server's questions come in; 0 = 80. It asks on 80, so others need somebody who passes it on."""
    alt_tlsalpn_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 443
    """Port on which the questions of ``tlsalpn-01`` come in; 0 = 443. The server asks on 443, so others need somebody
    who passes it on."""
    use_production_endpoint: bool = False
    """Ask Let's Encrypt for certificates that browsers trust; else its staging server, for trying."""
    directory_url: str = ""
    """Another ACME server (ours)."""
    directory_ca: str = ""
    """PEM file: root of that server's own certificate; empty = the system's (ours)."""

    @property
    def directory(self) -> str:
        """URL of the server's directory."""
        return self.directory_url or (_PRODUCTION if self.use_production_endpoint else _STAGING)

    def faults(self) -> Iterable[tuple[str, str]]:
        """What is missing."""
        if not self.email:
            yield "email", "email could not be empty"
        if not self.domains:
            yield "domains", "should be at least 1 domain"
        for domain in self.domains:
            if not _NAME.fullmatch(domain):
                yield "domains", f"`{domain}` is no name that can be shown to be ours (no address, no wildcard)"


class SslConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.ssl``: HTTPS on an address of its own. It is on with ``cert`` and ``key``, or with ``acme``."""

    address: str = "127.0.0.1:443"
    """``host:port``, ``:port`` (every IPv4 address) or ``[::1]:port``."""
    cert: str = ""
    """PEM file: the certificate, and behind it those that lead to its root."""
    key: str = ""
    """PEM file: the private key, not encrypted."""
    redirect: bool = False
    """Send every request of ``http.address`` to HTTPS, with status 308."""
    root_ca: str = ""
    """PEM file: the roots that certificates of clients are verified against."""
    client_auth_type: str = "no_client_cert"
    """Whether clients show a certificate: ``no_client_cert``, ``request_client_cert``, ``require_any_client_cert``,
    ``verify_client_cert_if_given``, ``require_and_verify_client_cert``. One that is shown is always verified."""
    acme: AcmeConfig | None = None
    """Certificates from an ACME server, in place of ``cert`` and ``key``."""
