"""What a worker's reply means for its connection: the context is one of four words. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """What becomes of the connection.

    Attributes:
        writes: the body goes to the client.
        closes: the connection is closed then.
    """

    writes: bool
    closes: bool


CLOSE = Verb(writes=False, closes=True)
"""Also of any other word, as in RoadRunner."""

VERBS = {
    b"WRITE": Verb(writes=True, closes=False),
    b"CONTINUE": Verb(writes=False, closes=False),
    b"WRITECLOSE": Verb(writes=True, closes=True),
    b"CLOSE": CLOSE,
}
