"""The ``server`` section: which command makes a worker, and how it is reached."""

from __future__ import annotations

import msgspec

from pyroadrunner.config.values import Command, Duration, StringMap


class OnInitConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``server.on_init``: a command run once, before the first worker."""

    command: Command
    """What to run."""
    exec_timeout: Duration = 60.0
    """Longest time it may take; seconds, 0 = 60. Then its process group is killed."""
    exit_on_error: bool = False
    """Whether its failure ends the start."""
    user: str = ""
    """User to run it as; empty = ours."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Extra environment; the server's own wins."""


class ServerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``server``."""

    command: Command
    """Command of a worker: a string (quotes as in a shell) or a list."""
    user: str = ""
    """User the workers run as; needs root."""
    group: str = ""
    """Group the workers run as; empty = the user's primary group. Needs root."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Extra environment of the workers; names are upper-cased."""
    relay: str = "pipes"
    """``pipes``, ``tcp://host:port`` or ``unix://path``."""
    relay_timeout: Duration = 60.0
    """Accepted and not used, as in RoadRunner since 2024.1."""
    on_init: OnInitConfig | None = None
