"""Addresses of registries. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit


def address_fault(text: str) -> str:
    """Why a text is not the address of a registry; empty = it is one."""
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # the port
        valid = False
    if not valid:
        return f'"{text}" is not an address: write http://127.0.0.1:PORT or https://HOST:PORT'
    if url.username or url.password:
        return "has a password: set it in its own key"
    if url.path not in ("", "/") or url.query or url.fragment:
        return f'"{text}" has a path: write only scheme, host and port'
    return ""


def clear_text(address: str) -> bool:
    """Whether what is sent to an address can be read on the network."""
    url = urlsplit(address)
    return url.scheme == "http" and url.hostname not in ("127.0.0.1", "::1", "localhost")
