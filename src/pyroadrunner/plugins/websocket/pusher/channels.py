"""Kinds of channels, by the prefix of their name. Pure."""

from __future__ import annotations

import re
from enum import Enum

MAX_NAME = 200  # characters
_USER = "#server-to-user-"
_NAME = re.compile(r"#?[A-Za-z0-9_\-=@,.;]+")


class Kind(Enum):
    """What a subscription needs."""

    PUBLIC = "public"
    PRIVATE = "private"
    PRESENCE = "presence"
    ENCRYPTED = "private-encrypted"
    USER = "user"


class Channel:
    """A name and what follows from it.

    Attributes:
        cached: whether a new subscriber gets the last published event.
        user: of a channel of one user; empty for others.
    """

    __slots__ = ("cached", "kind", "name", "user")

    def __init__(self, name: str) -> None:
        self.name = name
        self.user = ""
        if name.startswith(_USER):
            self.kind, self.user, rest = Kind.USER, name[len(_USER) :], ""
        elif name.startswith("private-encrypted-"):
            self.kind, rest = Kind.ENCRYPTED, name[len("private-encrypted-") :]
        elif name.startswith("private-"):
            self.kind, rest = Kind.PRIVATE, name[len("private-") :]
        elif name.startswith("presence-"):
            self.kind, rest = Kind.PRESENCE, name[len("presence-") :]
        else:
            self.kind, rest = Kind.PUBLIC, name
        self.cached = rest.startswith("cache-")

    def __repr__(self) -> str:
        return f"Channel({self.name!r}, {self.kind.value}{', cached' if self.cached else ''})"

    @property
    def client_events(self) -> bool:
        """Whether clients may send events to it."""
        return self.kind in (Kind.PRIVATE, Kind.PRESENCE)


def is_valid(name: str) -> bool:
    """Whether a name is one that the protocol allows."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None and (name[0] != "#" or name.startswith(_USER))
