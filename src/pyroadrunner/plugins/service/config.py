"""The ``service`` section: names the user chose, a command for each."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import NAMED, Command, Duration, StringMap

Seconds = Annotated[int, Meta(ge=0)]
RESTART_SEC = 30
TIMEOUT_STOP_SEC = 5


class ServiceConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``service.<name>``."""

    command: Command
    """What to run: a string (quotes as in a shell, but no shell runs) or a list."""
    process_num: Annotated[int, Meta(ge=0)] = 1
    """How many processes of it; 0 = 1."""
    exec_timeout: Duration = 0.0
    """Longest life of a process; then its group is killed. 0 = no limit."""
    remain_after_exit: bool = False
    """Whether a process that has ended, for whatever reason, is started again after `restart_sec`."""
    restart_sec: Seconds = RESTART_SEC
    """Seconds between an end and the next start; 0 = 30."""
    timeout_stop_sec: Seconds = TIMEOUT_STOP_SEC
    """Seconds a process has after SIGINT before its group is killed; 0 = 5."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Extra variables; names are upper-cased, ``$NAME`` in a value is expanded."""
    user: str = ""
    """User the processes run as; needs root."""
    service_name_in_log: bool = False
    """Whether its lines come from the logger ``service.<name>`` instead of ``service``."""


class ServiceSection(msgspec.Struct, kw_only=True, frozen=True):
    """``service``."""

    services: Annotated[dict[str, ServiceConfig], NAMED] = msgspec.field(default_factory=dict)
    """By name."""
