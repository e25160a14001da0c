"""The TLS context of a server, from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyroadrunner.httpd.errors import TlsError
from pyroadrunner.httpd.tls import ClientAuth, TlsFiles

if TYPE_CHECKING:
    import ssl

# A client certificate is always verified. So two of RoadRunner's values are stricter here, as for http.
CLIENT_AUTH: dict[str, ClientAuth] = {
    "request_client_cert": "optional",
    "verify_client_cert_if_given": "optional",
    "require_any_client_cert": "required",
    "require_and_verify_client_cert": "required",
}
NO_CLIENT_AUTH = ("", "no_client_cert", "no_client_certs")  # the last form is from RoadRunner's documentation


def make_context(files: TlsFiles) -> ssl.SSLContext:
    """A context with the current files.

    Raises:
        TlsError: they can't be used.
    """
    import ssl  # imported late: a server without TLS starts faster

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert, files.key, password=_no_password)
        if files.root_ca and files.client != "none":
            context.load_verify_locations(files.root_ca)
            context.verify_mode = ssl.CERT_REQUIRED if files.client == "required" else ssl.CERT_OPTIONAL
    except (OSError, ValueError) as wrong:  # an SSLError is an OSError
        raise TlsError(f"{files.section}: {wrong}") from wrong
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")
