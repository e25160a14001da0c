"""The ``schedule`` plugin."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyroadrunner.contracts import (
    EffectiveConfig,
    HandlesRequests,
    HasConnections,
    HasMetrics,
    HasPages,
    HasRpc,
    HasStatus,
    HasStopHook,
    HasTask,
    MetricFamily,
    Page,
    PageInfo,
    Plugin,
    PreparedReload,
    PushesJobs,
    Reloadable,
    RpcMethod,
    Tracing,
)
from pyroadrunner.plugins.schedule.actions.command import RunCommand
from pyroadrunner.plugins.schedule.actions.contract import Action
from pyroadrunner.plugins.schedule.actions.job import PushJob
from pyroadrunner.plugins.schedule.actions.request import SendRequest
from pyroadrunner.plugins.schedule.config import EntryConfig, ScheduleConfig
from pyroadrunner.plugins.schedule.entry import Entry
from pyroadrunner.plugins.schedule.errors import RedisNotInstalled, SectionMissing, StoreNotUsable, UserUnknown
from pyroadrunner.plugins.schedule.metrics import schedule_metrics
from pyroadrunner.plugins.schedule.pages import INFO, entries_page, run_now
from pyroadrunner.plugins.schedule.rpc import ScheduleRpc
from pyroadrunner.plugins.schedule.scheduler import Scheduler
from pyroadrunner.plugins.schedule.store import Store, StoreFailed
from pyroadrunner.plugins.schedule.stores.memory import MemoryStore
from pyroadrunner.remote.errors import StoreError
from pyroadrunner.remote.redis.config import RedisConfig
from pyroadrunner.workers.child_process import Credentials, UnknownUser


class SchedulePlugin(Plugin, HasTask, HasRpc, HasMetrics, HasStatus, HasPages, HasStopHook, HasConnections, Reloadable):
    """Runs the entries of its section at their times."""

    name = "schedule"

    def __init__(
        self,
        config: ScheduleConfig,
        effective: EffectiveConfig,
        jobs: PushesJobs | None,
        http: HandlesRequests | None,
        tracing: Sequence[Tracing] = (),
    ) -> None:
        self._config = config
        self._effective = effective
        self._jobs = jobs
        self._http = http
        self._tracing = tracing
        self._scheduler: Scheduler | None = None
        self._entries: dict[str, Entry] = {}

    def __repr__(self) -> str:
        return f"SchedulePlugin({self._scheduler!r})"

    @property
    def scheduler(self) -> Scheduler:
        assert self._scheduler is not None
        return self._scheduler

    async def start(self) -> None:
        """Open the store.

        Raises:
            SectionMissing, UserUnknown: an action is not possible.
            RedisNotInstalled, StoreNotUsable
        """
        self._entries = self._made(self._config)
        store = open_store(self._config, self._effective)
        try:
            await store.start()
        except StoreFailed as error:
            await store.stop()
            raise StoreNotUsable(error) from error
        self._scheduler = Scheduler(store, self._tracing)
        self._scheduler.become(self._entries)

    async def run(self) -> None:
        """Run what is due until the stop."""
        await self.scheduler.run()

    def on_stopping(self) -> None:
        """Begin no more runs."""
        if self._scheduler is not None:
            self._scheduler.close_intake()

    def close_after_response(self) -> None:
        """Another process has taken over, and runs what is due."""
        self.on_stopping()

    async def stop(self, grace: float) -> None:
        """Wait for running actions, at most ``grace`` seconds."""
        await self.scheduler.stop(grace)

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        return ScheduleRpc(self.scheduler).methods()

    def pages(self) -> Sequence[PageInfo]:
        return (INFO,) if self._scheduler is not None else ()

    async def page(self, name: str) -> Page:
        return await entries_page(self.scheduler)

    async def run_action(self, page: str, action: str, row: str) -> str:
        return await run_now(self.scheduler, action, row)

    async def metrics(self) -> Sequence[MetricFamily]:
        return schedule_metrics(self.scheduler, connected=not self.scheduler.store_lost)

    async def healthy(self) -> bool:
        """Whether it works; a store that is away does not make it unhealthy, since a restart would not help."""
        return True

    async def ready(self) -> bool:
        """Whether the store answers: without it nothing runs."""
        return not self.scheduler.store_lost

    @staticmethod
    def reloadable_keys() -> Collection[str]:
        """The entries and their default time zone."""
        return {"entries", "timezone"}

    async def prepare_reload(self, section: ScheduleConfig, whole: Mapping[str, Any]) -> PreparedReload:
        """Make the new entries; those that have not changed stay.

        Raises:
            SectionMissing, UserUnknown: an action is not possible.
        """
        entries = self._made(section)

        def apply() -> None:
            self._config = section
            self._entries = entries
            self.scheduler.become(entries)

        return PreparedReload(apply)

    def _made(self, config: ScheduleConfig) -> dict[str, Entry]:
        return {name: self._entry(name, entry, config.timezone) for name, entry in config.entries.items()}

    def _entry(self, name: str, config: EntryConfig, timezone: str) -> Entry:
        old = self._entries.get(name)
        if old is not None and old.config == config and old.timezone == (config.timezone or timezone):
            return old
        made = Entry(name, config, timezone, self._action(name, config))
        if old is not None:
            made.figures, made.running = old.figures, old.running  # counters must not shrink
        return made

    def _action(self, name: str, config: EntryConfig) -> Action:
        if config.job is not None:
            if self._jobs is None:
                raise SectionMissing(name, "job", "jobs")
            return PushJob(config.job, self._jobs)
        if config.http is not None:
            if self._http is None:
                raise SectionMissing(name, "http", "http")
            return SendRequest(config.http, self._http)
        try:
            credentials = Credentials.of(config.user, "")
        except UnknownUser as error:
            raise UserUnknown(name, error) from error
        return RunCommand(config.command, config.env, credentials)


def open_store(config: ScheduleConfig, effective: EffectiveConfig) -> Store:
    """The store that the section names.

    Raises:
        RedisNotInstalled, StoreNotUsable
    """
    if config.driver == "memory":
        return MemoryStore(config.history)
    if config.driver == "file":
        from pyroadrunner.plugins.schedule.stores.file import FileStore  # importing sqlite3 takes time

        return FileStore(config.file, config.history)
    section = config.config or effective.section("redis")
    try:
        from pyroadrunner.plugins.schedule.stores.redis import RedisStore

        return RedisStore(section if isinstance(section, RedisConfig) else RedisConfig(), config.prefix, config.history)
    except ModuleNotFoundError as missing:
        raise RedisNotInstalled(missing.name or "?") from missing
    except StoreError as error:
        raise StoreNotUsable(error) from error
