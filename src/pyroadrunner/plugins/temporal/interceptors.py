"""Plugins that wrap activities and workflow tasks, in the order of ``temporal.interceptors``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from pyroadrunner.contracts import InterceptsTemporal, TemporalCall
from pyroadrunner.plugins.temporal.errors import UnknownInterceptor

Work = Callable[[], Awaitable[str]]


class Interceptors:
    """The wrappers of each call.

    Args:
        plugins: all that the config has started.
        names: of those to use, the outermost first; empty = all.
    """

    def __init__(self, plugins: Sequence[InterceptsTemporal] = (), names: Sequence[str] = ()) -> None:
        found = {plugin.name: plugin for plugin in plugins}
        for name in names:
            if name not in found:
                raise UnknownInterceptor(name, sorted(found))
        self._chain = [found[name] for name in names] or list(found.values())

    def __bool__(self) -> bool:
        return bool(self._chain)

    async def run(self, call: TemporalCall, work: Work) -> str:
        """Run a call in all wrappers; the result is that of ``work``: why it failed, or empty."""
        for plugin in reversed(self._chain):
            work = _wrapped(plugin, call, work)
        return await work()


def _wrapped(plugin: InterceptsTemporal, call: TemporalCall, work: Work) -> Work:
    return lambda: plugin.intercept_temporal(call, work)
