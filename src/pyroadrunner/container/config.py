"""The ``endure`` section: how the container stops."""

from __future__ import annotations

import msgspec

from pyroadrunner.config.values import Duration


class EndureConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``endure``: how the server itself starts and stops."""

    grace_period: Duration = 30.0
    """Time for running requests to finish when the server stops; seconds."""
    retirement: Duration = 10.0
    """How long idle connections stay open after a new process has taken over (SIGUSR2); seconds (not in RoadRunner)."""
    log_level: str = "error"
    """Accepted and ignored: the container logs through ``logs``."""
    print_graph: bool = False
    """Print the plugins and their dependencies as Graphviz at start."""
    watchdog_sec: int = 0
    """systemd watchdog interval in seconds; 0 = off."""
