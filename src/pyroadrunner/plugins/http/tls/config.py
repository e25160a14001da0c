"""``http.ssl``."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from pyroadrunner.config.values import unbuilt


class SslConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``http.ssl``: HTTPS on an address of its own. It is on when both ``cert`` and ``key`` are set."""

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
    acme: Annotated[
        dict[str, Any] | None, unbuilt("certificates from Let's Encrypt; name the files in cert and key")
    ] = None
