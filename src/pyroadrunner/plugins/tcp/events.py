"""What a worker gets: the context of an event, in RoadRunner's form and order of keys. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class Event(Enum):
    """What has happened to a connection.

    Attributes:
        tail: the end of its context.
        place: in lists by event.
    """

    CONNECTED = "CONNECTED"  # before anything is read
    DATA = "DATA"  # a message has arrived; the body includes the delimiter
    CLOSE = "CLOSE"  # the connection has ended

    def __init__(self, text: str) -> None:
        self.tail = b'"%s"}' % text.encode()
        self.place = len(type(self).__members__)


def context_prefix(remote_addr: str, server: str, uuid: str) -> bytes:
    """The context of every event of a connection, up to the event; append :attr:`Event.tail`."""
    head = {"remote_addr": remote_addr, "server": server, "uuid": uuid}
    return _encode(head)[:-1] + b',"event":'


def remote_address(peer: Any) -> str:
    """``host:port`` or ``[ipv6]:port`` of a client; ``@`` on a unix socket.

    Args:
        peer: the name of its socket.
    """
    if isinstance(peer, tuple) and len(peer) >= 2:
        host, port = str(peer[0]), peer[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return "@"
