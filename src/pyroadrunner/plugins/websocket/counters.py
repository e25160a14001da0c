"""What is counted for the metrics. Pure.

The labels are bounded: `app` is an entry of the config, empty for sockets of `websocket.path`; `topics` is the pattern
of an entry of the config, or the kind of a channel, but never the name of a topic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pyroadrunner.bounded_cache import BoundedCache

Label = tuple[str, str]
"""The application, and the class of a topic."""


@dataclass(slots=True)
class Counters:
    """Counts of all connections of one application, or of `websocket.path`.

    Attributes:
        dropped: by connections that are closed.
    """

    opened: int = 0
    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    dropped: int = 0
    failed: int = 0
    closed: dict[int, int] = field(default_factory=dict)

    def count_close(self, code: int, dropped: int) -> None:
        """A connection was closed."""
        self.closed[code] = self.closed.get(code, 0) + 1
        self.dropped += dropped


class TopicCounters:
    """Publications and deliveries by class of topic.

    Args:
        classify: the class of a topic, from few possible ones.

    Attributes:
        published, delivered: counts since the start.
    """

    def __init__(self, classify: Callable[[str], Label] = lambda _: ("", "")) -> None:
        self._classes: BoundedCache[str, Label] = BoundedCache(
            classify, entries=4096, max_bytes=1 << 20, size=lambda name, _: len(name) + 64
        )
        self.published: dict[Label, int] = {}
        self.delivered: dict[Label, int] = {}

    def count_published(self, topic: str) -> None:
        label = self._classes[topic]
        self.published[label] = self.published.get(label, 0) + 1

    def count_delivered(self, topic: str, clients: int) -> None:
        label = self._classes[topic]
        self.delivered[label] = self.delivered.get(label, 0) + clients

    def forget(self) -> None:
        """The classes have changed; counts stay."""
        self._classes.clear()
