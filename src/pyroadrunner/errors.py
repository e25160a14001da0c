"""The one root of every error this package raises on purpose.

Each layer keeps its own small family beside its code (``goridge.errors``, ``workers.errors``, ...); all of them descend
from :class:`RoadRunnerError`, so a caller can tell "the server says no" from a bug.
"""


class RoadRunnerError(Exception):
    """Something the server refuses or could not do, said in words a user can act on."""
