"""``rr serve --https``: HTTPS for development, with a certificate of the local authority."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyroadrunner.cli.serve.source import Source
from pyroadrunner.cli.serve.worker_file import quoted
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import TcpAddress
from pyroadrunner.net.endpoint import parse_endpoint
from pyroadrunner.net.errors import ListenError


class HttpsRefused(RoadRunnerError):
    """HTTPS for development is not possible with this config."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"--https: {problem}")


def with_https(source: Source) -> tuple[Source, str]:
    """The source with HTTPS turned on, and a line about it.

    Raises:
        HttpsRefused: the config has a certificate, or listens on a network.
        RoadRunnerError: the authority can't be made.
    """
    raw = source.read()
    address = https_address(raw.data.get("http"))
    from pyroadrunner.cli.trust.authority import Authority, host_name  # cryptography is not needed otherwise
    from pyroadrunner.cli.trust.places import authority_folder
    from pyroadrunner.cli.trust.system_store import is_installed

    authority = Authority(authority_folder(os.environ, root=os.geteuid() == 0), host=host_name())
    cert, key = authority.server()
    values = {"address": address, "cert": _path(cert), "key": _path(key), "redirect": "true"}
    overrides = tuple(f"http.ssl.{name}={quoted(value)}" for name, value in values.items())
    options = replace(source.options, overrides=(*overrides, *source.options.overrides))
    line = f"serving https://localhost:{address.rpartition(':')[2]} with a certificate of {authority.certificate}"
    if not is_installed(authority.certificate):
        line += "; to trust it: rr trust install"
    return replace(source, options=options), line


def https_address(http: object) -> str:
    """The address for HTTPS: ``http.ssl.address``, otherwise ``localhost`` with port 8443 (443 beside port 80).

    Args:
        http: the section ``http`` as written.

    Raises:
        HttpsRefused: HTTPS is on already, or an address is not on loopback.
    """
    if not isinstance(http, Mapping):
        raise HttpsRefused("the config has no section http")
    ssl = http.get("ssl")
    ssl = ssl if isinstance(ssl, Mapping) else {}
    if ssl.get("cert") or ssl.get("acme") is not None:
        raise HttpsRefused("http.ssl has a certificate, so HTTPS is on without the flag")
    plain, own = str(http.get("address") or ""), str(ssl.get("address") or "")
    for key, text in (("http.address", plain), ("http.ssl.address", own)):
        if text and not is_loopback(text):
            raise HttpsRefused(
                f"it is for development, and {key} = {text} is open to a network, where the certificate means nothing."
                f" Add -o {key}=127.0.0.1:{text.rpartition(':')[2]}, or use a real certificate: http.ssl.cert and key,"
                " or http.ssl.acme"
            )
    if own:
        return own
    return f"localhost:{443 if plain.endswith(':80') else 8443}"  # 127.0.0.1 and ::1


def is_loopback(text: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        address: Any = parse_endpoint(text)
    except ListenError:
        return True  # the config check refuses it, with a better text
    if not isinstance(address, TcpAddress):
        return True
    if address.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        return False


def _path(path: Path) -> str:
    if "$" in str(path):
        raise HttpsRefused(f"{path} has a $, which a config can't contain: set XDG_CONFIG_HOME to another folder")
    return str(path)
