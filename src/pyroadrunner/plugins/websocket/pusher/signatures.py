"""Signatures of the protocol: HMAC-SHA256, in hexadecimal. Pure.

What is signed is never encoded again: clients and backends may write their JSON as they like.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import md5, sha256

MAX_AGE = 600  # seconds between the time of a request and that of the server


def sign(secret: str, text: str) -> str:
    """The signature of a text."""
    return sign_bytes(secret, text.encode())


def sign_bytes(secret: str, data: bytes) -> str:
    """The signature of bytes: the whole body of a webhook."""
    return hmac.new(secret.encode(), data, sha256).hexdigest()


def is_authorised(key: str, secret: str, auth: str, text: str) -> bool:
    """Whether ``auth`` (``key:signature``) allows what ``text`` says."""
    given_key, _, signature = auth.partition(":")
    return given_key == key and _equal(signature, sign(secret, text))


def channel_text(socket_id: str, channel: str, channel_data: str = "") -> str:
    """What a subscription signs."""
    return f"{socket_id}:{channel}:{channel_data}" if channel_data else f"{socket_id}:{channel}"


def user_text(socket_id: str, user_data: str) -> str:
    """What a sign-in signs."""
    return f"{socket_id}::user::{user_data}"


def request_fault(
    key: str, secret: str, method: str, path: str, query: Sequence[tuple[str, str]], body: bytes, now: float
) -> str:
    """What is wrong with the signature of a request to the HTTP API; empty = nothing.

    Args:
        path: without a prefix of the server.
        query: decoded, without merging.
    """
    merged: dict[str, list[str]] = {}
    for name, value in query:
        merged.setdefault(name, []).append(value)
    given = merged.pop("auth_signature", [""])[0]
    if merged.get("auth_key", [""])[0] != key:
        return "unknown auth_key"
    time = merged.get("auth_timestamp", [""])[0]
    if not time.isdecimal() or abs(now - int(time)) > MAX_AGE:
        return f"auth_timestamp differs by more than {MAX_AGE} s from the time of the server"
    if body and not _equal(merged.get("body_md5", [""])[0], md5(body, usedforsecurity=False).hexdigest()):
        return "body_md5 does not match the body"
    text = "&".join(f"{name.lower()}={','.join(values)}" for name, values in sorted(merged.items(), key=_lower))
    if not _equal(given, sign(secret, f"{method}\n{path}\n{text}")):
        return "auth_signature does not match the request"
    return ""


def _lower(entry: tuple[str, list[str]]) -> str:
    return entry[0].lower()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
