"""The root of every error that this package raises on purpose.

Each layer defines its own errors beside its code (``goridge.errors``, ``workers.errors``, ...). All of them inherit
from :class:`RoadRunnerError`, so a caller can tell a refusal of the server from a bug.
"""


class RoadRunnerError(Exception):
    """The server refuses or can't do something; the message tells the user what to do."""
