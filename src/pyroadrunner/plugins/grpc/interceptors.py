"""Finds interceptors: entry points of the group ``pyroadrunner.grpc_interceptors``.

An entry point names a callable ``async def (request, proceed)``, or a class of such, made once without arguments (see
``grpcd.Interceptor``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from pyroadrunner.config.section import suggest
from pyroadrunner.grpcd import Interceptor
from pyroadrunner.plugins.grpc.errors import InterceptorNotFound

GROUP = "pyroadrunner.grpc_interceptors"


def unknown_interceptors(
    names: Sequence[str], entries: Iterable[EntryPoint] | None = None
) -> Iterator[tuple[str, str]]:
    """The configured interceptors that are not installed, each with its key in the section."""
    installed = _by_name(entries)
    for at, name in enumerate(names):
        if name not in installed:
            yield f"interceptors.{at}", _not_registered(name, installed)


def load_interceptors(names: Sequence[str], entries: Iterable[EntryPoint] | None = None) -> list[Interceptor]:
    """The configured interceptors, in their order.

    Raises:
        InterceptorNotFound: one is not installed, or fails to load. It may be the one that authenticates, so the server
            must not start without it.
    """
    installed = _by_name(entries) if names else {}
    return [_load(at, name, installed) for at, name in enumerate(names)]


def _load(at: int, name: str, installed: dict[str, EntryPoint]) -> Interceptor:
    entry = installed.get(name)
    if entry is None:
        raise InterceptorNotFound(f"grpc.interceptors.{at}: {_not_registered(name, installed)}")
    package = entry.dist.name if entry.dist else "its package"
    try:
        found: Any = entry.load()
        if isinstance(found, type):
            found = found()
    except Exception as wrong:  # foreign code: it may raise anything
        raise InterceptorNotFound(
            f"grpc.interceptors.{at}: {name} of {package} can't be loaded: {type(wrong).__name__}: {wrong}"
        ) from wrong
    if not callable(found):
        raise InterceptorNotFound(f"grpc.interceptors.{at}: {name} of {package} is not callable: {entry.value}")
    return cast("Interceptor", found)


def _not_registered(name: str, installed: dict[str, EntryPoint]) -> str:
    near = suggest(name, installed) or (
        f"there are {', '.join(sorted(installed))}" if installed else f"no package has an entry point of {GROUP}"
    )
    return f"interceptor {name} is not registered; {near}"


def _by_name(entries: Iterable[EntryPoint] | None) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in (entry_points(group=GROUP) if entries is None else entries)}
