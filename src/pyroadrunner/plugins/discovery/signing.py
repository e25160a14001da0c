"""Commands of one server to all others, signed with the secret that they share. Pure.

A registry only carries bytes: a program that may write to it could put a command there. So each has a MAC (HMAC-SHA256)
over its purpose, the name of the cluster and its body. A body says when it was issued: servers take it for a minute,
once.
"""

from __future__ import annotations

import hmac
from typing import Literal, TypeVar

import msgspec

WINDOW = 60.0  # seconds for which a command is valid; also how far the clocks of two servers may differ
_MOST_SEEN = 10_000
_FORGET_EVERY = 10.0  # seconds

Action = Literal["reset", "reload"]
T = TypeVar("T")


class Command(msgspec.Struct, kw_only=True, frozen=True):
    """What all servers shall do.

    Attributes:
        plugins: whose workers to reset; empty = of all.
        issued: Unix time.
        by: id of the server that issued it.
    """

    id: str
    action: Action
    plugins: list[str]
    issued: float
    by: str


class Result(msgspec.Struct, kw_only=True, frozen=True):
    """What came of it on one server."""

    command: str
    server: str
    ok: bool
    message: str


class Envelope(msgspec.Struct, kw_only=True, frozen=True):
    """What the registry keeps."""

    body: str
    mac: str


class Signer:
    """Signs and verifies.

    Args:
        secret: shared by all servers.
        name: of the cluster.
    """

    def __init__(self, secret: str, name: str) -> None:
        self._secret = secret.encode()
        self._name = name

    def sign(self, message: Command | Result) -> bytes:
        """The message for the registry."""
        body = msgspec.json.encode(message).decode()
        return msgspec.json.encode(Envelope(body=body, mac=self._mac(type(message), body)))

    def command(self, data: bytes) -> Command | None:
        """The command; ``None`` = it is not signed by one of us."""
        return self._open(data, Command)

    def result(self, data: bytes) -> Result | None:
        """The result; ``None`` = it is not signed by one of us."""
        return self._open(data, Result)

    def _open(self, data: bytes, kind: type[T]) -> T | None:
        try:
            envelope = msgspec.json.decode(data, type=Envelope)
            if not hmac.compare_digest(envelope.mac.encode(), self._mac(kind, envelope.body).encode()):
                return None
            return msgspec.json.decode(envelope.body, type=kind)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None

    def _mac(self, kind: type, body: str) -> str:
        purpose = f"pyroadrunner {kind.__name__.lower()} 1\0{self._name}\0{body}"
        return hmac.digest(self._secret, purpose.encode(), "sha256").hex()


class Inbox:
    """Decides which commands to run: those that were issued by one of us, now, and that have not run yet.

    Args:
        started: Unix time of the start of this server: older commands were for its predecessor.
    """

    def __init__(self, signer: Signer, started: float) -> None:
        self._signer = signer
        self._started = started
        self._forgot_at = 0.0
        self._seen: dict[str, float] = {}  # id of a command, or key of an invalid one -> when it may be forgotten

    def take(self, key: str, data: bytes, now: float) -> Command | str:
        """The command if it has to run now; otherwise why it was refused, or empty if it is known already.

        Args:
            key: of the registry.
            now: Unix time.
        """
        self._forget(now)
        if key in self._seen:
            return ""
        command = self._signer.command(data)
        if command is None:
            return self._refuse(key, now, "it is not signed with discovery.secret")
        if command.id in self._seen or command.issued <= self._started:
            return ""
        if abs(now - command.issued) > WINDOW:
            return self._refuse(key, now, f"it was issued {now - command.issued:.0f} s ago; do the clocks differ?")
        if len(self._seen) >= _MOST_SEEN:
            return "there are too many commands"
        self._seen[command.id] = command.issued + 2 * WINDOW
        return command

    def _forget(self, now: float) -> None:
        if now - self._forgot_at >= _FORGET_EVERY:
            self._forgot_at = now
            self._seen = {one: until for one, until in self._seen.items() if until > now}

    def _refuse(self, key: str, now: float, why: str) -> str:
        if len(self._seen) >= _MOST_SEEN:
            return ""
        self._seen[key] = now + 2 * WINDOW
        return why
