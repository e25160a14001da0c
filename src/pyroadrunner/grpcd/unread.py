"""Ends streams that their client does not read while other calls of the same connection wait.

The engine keeps a bounded amount of responses for a connection, of all its calls together, and does not tell whose
bytes the client takes. A stream that is not read takes all of it; then every call of the connection waits in ``send``.
The stream that has waited longest is the one that began it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

UNREAD = "the client does not read this stream, and other calls of its connection wait"  # message of the cancellation
TIMEOUT = 10.0  # seconds in which a connection takes nothing of two calls
_TICK = 1.0


class Sender:
    """A call that sends, or will.

    Attributes:
        waits_since: time of the loop at which its current ``send`` began; 0 = none runs.
        stream: its task, if it may be ended: that of a stream. ``None`` = it only waits.
    """

    __slots__ = ("stream", "waits_since")

    def __init__(self, stream: asyncio.Task[None] | None = None) -> None:
        self.stream = stream
        self.waits_since = 0.0


class Connections:
    """The connections with streams, and who sends on them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._senders: dict[Hashable, set[Sender]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"Connections({len(self._senders)})"

    def __contains__(self, connection: Hashable) -> bool:
        """Whether a stream runs on a connection."""
        return connection in self._senders

    def now(self) -> float:
        """The time, for :attr:`Sender.waits_since`."""
        return self._loop.time()

    def add(self, connection: Hashable, sender: Sender) -> None:
        """Watch a sender until it is discarded."""
        self._senders.setdefault(connection, set()).add(sender)
        if self._timer is None:
            self._timer = self._loop.call_later(_TICK, self._tick)

    def discard(self, connection: Hashable, sender: Sender) -> None:
        """The call has ended."""
        senders = self._senders.get(connection)
        if senders is not None:
            senders.discard(sender)
            if not senders:
                del self._senders[connection]

    def _tick(self) -> None:
        now = self._loop.time()
        late = now - TIMEOUT
        for senders in list(self._senders.values()):
            waiting = [one for one in senders if one.waits_since and one.waits_since <= late]
            streams = [one for one in waiting if one.stream is not None]
            if len(waiting) > 1 and streams:
                first = min(streams, key=lambda one: one.waits_since)
                assert first.stream is not None
                first.stream.cancel(UNREAD)
                for one in waiting:  # the others may go on now; if not, another one is ended later
                    one.waits_since = now
        self._timer = self._loop.call_later(_TICK, self._tick) if self._senders else None
