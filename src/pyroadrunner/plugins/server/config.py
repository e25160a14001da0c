"""The ``server`` section: the command of workers, and their relay."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.config.values import Command, Duration, StringMap
from pyroadrunner.net.address import InvalidAddress, parse_address


class OnInitConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``server.on_init``: a command that runs once, before the first worker starts."""

    command: Command
    """The command."""
    exec_timeout: Duration = 60.0
    """Time limit in seconds, 0 = 60. Then its process group is killed."""
    exit_on_error: bool = False
    """Whether its failure prevents the start."""
    user: str = ""
    """User to run it as; empty = the server's user."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Additional environment variables; the server's own take precedence."""


class ServerConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``server``: the command of the workers, and how the server talks to them."""

    command: Command
    """Command of a worker: a string (quotes as in a shell) or a list."""
    user: str = ""
    """User the workers run as; needs root."""
    group: str = ""
    """Group the workers run as; empty = the user's primary group. Needs root."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Additional environment variables of the workers; names are upper-cased."""
    relay: str = "pipes"
    """``pipes``, ``tcp://host:port`` or ``unix://path``."""
    relay_timeout: Duration = 60.0
    """Accepted and ignored, as in RoadRunner since 2024.1."""
    on_init: OnInitConfig | None = None

    def faults(self) -> Iterable[tuple[str, str]]:
        """An invalid relay."""
        if self.relay in ("", "pipes"):
            return
        try:
            parse_address(self.relay)
        except InvalidAddress:
            yield "relay", f"is `{self.relay}`; expected pipes, tcp://host:port or unix://path"
