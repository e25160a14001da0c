"""The ``service`` section: commands by names chosen by the user."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import NAMED, Command, Duration, StringMap

Seconds = Annotated[int, Meta(ge=0)]
RESTART_SEC = 30
TIMEOUT_STOP_SEC = 5


class ServiceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``service.<name>``: one command."""

    command: Command
    """The command: a string (quotes as in a shell, but without a shell) or a list."""
    process_num: Annotated[int, Meta(ge=0)] = 1
    """Number of processes; 0 = 1."""
    exec_timeout: Duration = 0.0
    """Time limit of a process; then its process group is killed. 0 = no limit."""
    remain_after_exit: bool = False
    """Whether an exited process is started again after `restart_sec`, whatever the reason."""
    restart_sec: Seconds = RESTART_SEC
    """Seconds between an exit and the next start; 0 = 30."""
    timeout_stop_sec: Seconds = TIMEOUT_STOP_SEC
    """Seconds between SIGINT and the kill of the process group; 0 = 5."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Additional environment variables; names are upper-cased, ``$NAME`` in values is expanded."""
    user: str = ""
    """User the processes run as; needs root."""
    service_name_in_log: bool = False
    """Whether its output is logged on the channel ``service.<name>`` instead of ``service``."""


class ServiceSection(msgspec.Struct, kw_only=True, frozen=True):
    """``service``: commands that are kept running beside the server."""

    services: Annotated[dict[str, ServiceConfig], NAMED] = msgspec.field(default_factory=dict)
    """The services by name."""
