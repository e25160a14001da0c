"""All pages by id: ``overview``, ``workers``, ``logs``, ``config``, and ``plugin/page`` for those of plugins."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from pyroadrunner.contracts import EffectiveConfig, HasPages, Log, Page, PageInfo, RoadRunnerError
from pyroadrunner.plugins.dashboard.streams import Broadcast
from pyroadrunner.plugins.dashboard.views.overview import Overview
from pyroadrunner.plugins.dashboard.views.settings import settings
from pyroadrunner.plugins.dashboard.views.workers import Workers

_PATIENCE = 10.0  # seconds for the page of a plugin
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_encode = msgspec.json.Encoder(enc_hook=str).encode

T = TypeVar("T")

log = Log("dashboard")


class NoSuchPage(RoadRunnerError):
    """There is no such page now."""

    def __init__(self, page: str) -> None:
        super().__init__(f"there is no page {page!r}")


class MenuEntry(msgspec.Struct, kw_only=True, frozen=True):
    """A page in the menu.

    Attributes:
        kind: how it is drawn: ``overview``, ``workers``, ``logs``, ``config``, ``page``.
        refresh: see :class:`~pyroadrunner.contracts.PageInfo`.
    """

    id: str
    title: str
    kind: str
    refresh: float = 0.0


class Catalogue:
    """The pages.

    Args:
        plugins: a live view of those that offer pages.
        logs: whether the log can be shown.
    """

    def __init__(
        self,
        overview: Overview,
        workers: Workers,
        config: EffectiveConfig,
        plugins: Sequence[HasPages],
        *,
        logs: bool,
    ) -> None:
        self._overview = overview
        self._workers = workers
        self._config = config
        self._plugins = plugins
        self._logs = logs
        self._broadcasts: dict[str, Broadcast] = {}

    def menu(self) -> list[MenuEntry]:
        """All pages that exist now."""
        own = [
            MenuEntry(id="overview", title="Overview", kind="overview", refresh=1.0),
            MenuEntry(id="workers", title="Workers", kind="workers", refresh=2.0),
        ]
        rest = [MenuEntry(id="config", title="Config", kind="config")]
        if self._logs:
            rest.insert(0, MenuEntry(id="logs", title="Log", kind="logs", refresh=1.0))
        offered = [
            MenuEntry(id=f"{plugin.name}/{info.name}", title=info.title, kind="page", refresh=info.refresh)
            for plugin, info in self._offered()
        ]
        return [*own, *offered, *rest]

    async def look(self, page: str, *, first: bool = False) -> bytes:
        """The current contents as JSON. A failure is shown on the page.

        Args:
            first: whether the browser has just opened it.

        Raises:
            NoSuchPage
        """
        if page == "overview":
            return _encode(await (self._overview.first() if first else self._overview.now()))
        if page == "workers":
            return _encode(await (self._workers.first() if first else self._workers.now()))
        if page == "config":
            return _encode(settings(self._config))
        plugin, info = self._find(page)
        try:
            return _encode(await _in_time(plugin.page(info.name)))
        except RoadRunnerError as error:
            return _encode(Page(error=str(error)))
        except Exception as bug:  # of the plugin; other pages still work
            log.error("page failed", page=page, error=f"{type(bug).__name__}: {bug}")
            return _encode(Page(error="The page failed; the log says why."))

    def broadcast(self, page: str) -> Broadcast:
        """The live page.

        Raises:
            NoSuchPage: or it is not live.
        """
        found = self._broadcasts.get(page)
        if found is None:
            entry = next((one for one in self.menu() if one.id == page and one.refresh and one.kind != "logs"), None)
            if entry is None:
                raise NoSuchPage(page)
            found = self._broadcasts[page] = Broadcast(lambda: self._still(page), max(0.5, entry.refresh))
        return found

    async def run_action(self, page: str, action: str, row: str) -> str:
        """Run an action; return what was done.

        Raises:
            NoSuchPage, RoadRunnerError
        """
        if page == "workers":
            said = await self._workers.run_action(action, row)
        else:
            plugin, info = self._find(page)
            said = await plugin.run_action(info.name, action, row)
        if page in self._broadcasts:
            self._broadcasts[page].poke()
        return said

    async def _still(self, page: str) -> bytes:
        try:
            return await self.look(page)
        except NoSuchPage as gone:
            return _encode(Page(error=str(gone)))

    def _find(self, page: str) -> tuple[HasPages, PageInfo]:
        for plugin, info in self._offered():
            if page == f"{plugin.name}/{info.name}":
                return plugin, info
        raise NoSuchPage(page)

    def _offered(self) -> Iterator[tuple[HasPages, PageInfo]]:
        for plugin in sorted(self._plugins, key=lambda plugin: plugin.name):
            for info in _quietly(plugin.pages, plugin.name):
                if _NAME.fullmatch(info.name):
                    yield plugin, info


async def _in_time(work: Awaitable[T]) -> T:
    try:
        return await asyncio.wait_for(work, _PATIENCE)
    except TimeoutError:
        raise RoadRunnerError(f"The plugin did not answer within {_PATIENCE:g} s.") from None


def _quietly(pages: Callable[[], Sequence[PageInfo]], name: str) -> Sequence[PageInfo]:
    try:
        return pages()
    except Exception as bug:  # of the plugin; the menu shows the others
        log.error("a plugin failed to list its pages", plugin=name, error=f"{type(bug).__name__}: {bug}")
        return ()


def encode(value: Any) -> bytes:
    """JSON."""
    return _encode(value)
