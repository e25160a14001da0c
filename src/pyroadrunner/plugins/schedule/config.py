"""The ``schedule`` section: entries with names chosen by the user. Not in RoadRunner."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import Command, Duration, StringMap
from pyroadrunner.remote.redis.config import RedisConfig

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class JobAction(msgspec.Struct, kw_only=True, frozen=True):
    """``job``: push a job."""

    pipeline: str
    """Pipeline of `jobs`."""
    name: str
    """Name of the job, for its handler."""
    payload: str = ""
    """Payload, as text."""
    headers: StringMap = msgspec.field(default_factory=dict)
    """Headers."""
    priority: Annotated[int, Meta(ge=0)] = 0
    """Priority; 0 = that of the pipeline."""
    delay: Annotated[int, Meta(ge=0)] = 0
    """Seconds before the job may run."""

    def faults(self) -> Iterable[tuple[str, str]]:
        for key in ("pipeline", "name"):
            if not getattr(self, key):
                yield key, "should not be empty"


class HttpAction(msgspec.Struct, kw_only=True, frozen=True):
    """``http``: send a request to the workers of `http`, without a connection and without middleware."""

    path: str
    """Path, with the query if it has one."""
    method: str = "GET"
    """Method."""
    headers: StringMap = msgspec.field(default_factory=dict)
    """Headers."""
    body: str = ""
    """Body, as text."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.path.startswith("/"):
            yield "path", "should begin with /"
        elif not self.path.isascii() or not self.path.isprintable() or " " in self.path or "#" in self.path:
            yield "path", "should be encoded: `%20` for a blank, `%C3%A4` for ä, no `#`"
        if not _METHOD.fullmatch(self.method) or self.method != self.method.upper():
            yield "method", "is not a method: write GET, POST, ..."
        for name, value in self.headers.items():
            if not _METHOD.fullmatch(name) or any(char in value for char in "\r\n\0"):
                yield "headers", f'"{name}" is not a valid header'


class EntryConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``schedule.entries.<name>``: one of `cron`, `interval`, `at`, and one of `job`, `http`, `command`."""

    cron: str = ""
    """Minute, hour, day of month, month, day of week; with six fields the first one is seconds. Or `@hourly`, `@daily`,
    `@weekly`, `@monthly`, `@yearly`."""
    interval: Duration = 0.0
    """Run at each multiple of this time since 1970, so that all servers mean the same times. At least 1s."""
    at: str = ""
    """Run once: `2026-12-24 18:00`, in `timezone` unless it ends with an offset."""
    timezone: str = ""
    """Time zone of `cron` and `at`; empty = `schedule.timezone`."""
    jitter: Duration = 0.0
    """Delay each run by up to this time, to spread load. All servers compute the same delay."""
    overlap: Literal["skip", "queue", "allow"] = "skip"
    """When the previous run is still running, on any server: `skip` this one, `queue` it, or `allow` both."""
    catch_up: Literal["skip", "last", "all"] = "skip"
    """Runs missed by more than a minute, because no server was up or its clock was set forward: `skip` them, run the
    `last` one, or `all` (the newest 1000)."""
    timeout: Duration = 0.0
    """Longest run; then it has failed, and a command is ended. The worker of a request finishes it; see `exec_ttl` of
    its pool. 0 = no limit."""
    job: JobAction | None = None
    http: HttpAction | None = None
    command: Command = msgspec.field(default_factory=list)
    """Run a command: a string (quotes as in a shell, but without a shell) or a list."""
    env: StringMap = msgspec.field(default_factory=dict)
    """Additional environment variables of the command."""
    user: str = ""
    """User the command runs as; needs root."""

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from self._wrong_time()
        actions = [key for key in ("job", "http", "command") if getattr(self, key)]
        if not actions:
            yield "", "needs an action: `job`, `http` or `command`"
        elif len(actions) > 1:
            yield actions[1], f"can't be combined with `{actions[0]}`: an entry has one action"
        for key in ("env", "user"):
            if getattr(self, key) and "command" not in actions:
                yield key, "is only for `command`"

    def _wrong_time(self) -> Iterator[tuple[str, str]]:
        times = [key for key in ("cron", "interval", "at") if getattr(self, key)]
        if not times:
            yield "", "needs a time: `cron`, `interval` or `at`"
        elif len(times) > 1:
            yield times[1], f"can't be combined with `{times[0]}`: an entry has one kind of time"
        if 0 < self.interval < 1:
            yield "interval", "should be at least 1s"
        if self.cron or self.at or self.timezone:
            from pyroadrunner.plugins.schedule.timetable import wrong_times  # 8 ms of imports, of each command

            yield from wrong_times(self.cron, self.at, self.timezone)


class ScheduleConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``schedule``: jobs, requests and commands at given times."""

    entries: dict[str, EntryConfig] = msgspec.field(default_factory=dict)
    """The entries by name."""
    timezone: str = "UTC"
    """Time zone of entries without one, such as `Europe/Berlin`."""
    driver: Literal["memory", "file", "redis"] = "memory"
    """Where claims and history are kept. `memory`: for one server, lost when it stops. `file`: kept over restarts.
    `redis`: shared by all servers with the same Redis and `prefix`, of which one executes each run."""
    file: str = "rr-schedule.db"
    """File of the driver `file`, on a local disk."""
    prefix: str = "rr.schedule"
    """Prefix of the keys in Redis."""
    config: RedisConfig | None = None
    """Connection to Redis; absent = the section `redis`, else its defaults."""
    history: Annotated[int, Meta(ge=1)] = 20
    """Number of runs to keep for each entry."""

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """Without `config`, the section `redis` applies."""
        if self.driver == "redis" and self.config is None:
            yield "redis", RedisConfig

    def faults(self) -> Iterable[tuple[str, str]]:
        if self.timezone != "UTC":
            from pyroadrunner.plugins.schedule.timetable import wrong_times

            yield from wrong_times("", "", self.timezone)
        for key in ("file", "prefix"):
            if not getattr(self, key):
                yield key, "should not be empty"

    def absent(self) -> Iterable[tuple[str, str]]:
        """Settings of Redis that prevent a connection."""
        yield from ((f"config.{key}", message) for key, message in self._of_redis().absent())

    def doubtful(self) -> Iterable[tuple[str, str]]:
        yield from ((f"config.{key}", message) for key, message in self._of_redis().doubtful())

    def _of_redis(self) -> RedisConfig:
        return self.config if self.driver == "redis" and self.config is not None else RedisConfig()
