"""Selects the challenge by ``challenge_type``."""

from __future__ import annotations

from pyroadrunner.log import Log
from pyroadrunner.net.bound_sockets import BoundSockets
from pyroadrunner.plugins.http.tls.acme.challenge import Challenge
from pyroadrunner.plugins.http.tls.acme.http01 import HttpChallenge
from pyroadrunner.plugins.http.tls.acme.tlsalpn01 import TlsAlpnChallenge
from pyroadrunner.plugins.http.tls.config import AcmeConfig

_HTTP_PORT = 80
_TLS_PORT = 443

log = Log("http")


def challenge(config: AcmeConfig, plain_port: int, tls_sockets: BoundSockets) -> Challenge:
    """The configured challenge.

    Args:
        plain_port: of ``http.address``; 0 = not configured.
        tls_sockets: of ``http.ssl.address``, bound.
    """
    if config.challenge_type == "tlsalpn-01":
        return TlsAlpnChallenge(config.alt_tlsalpn_port or _TLS_PORT, tls_sockets)
    if config.challenge_type not in ("", "http-01"):
        log.warning("http.ssl.acme.challenge_type is unknown; using http-01", value=config.challenge_type)
    return HttpChallenge(config.alt_http_port or _HTTP_PORT, plain_port)
