"""Which promises (Protocols) a plugin keeps: those its class inherits. Pure.

A plugin says what it keeps: ``class HttpPlugin(Plugin, HasPools)``. Names of methods prove nothing: a plugin may have a
``reset`` and a ``workers`` of its own that mean something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from pyroadrunner import contracts

Promise = TypeVar("Promise")


def is_protocol(annotation: Any) -> bool:
    """Whether it is a Protocol itself, and no class that inherits one."""
    return isinstance(annotation, type) and bool(getattr(annotation, "_is_protocol", False))


def keeps(plugin: type[Any], protocol: Any) -> bool:
    """Whether the class inherits the Protocol."""
    return protocol in plugin.__mro__


def keeping(plugins: Iterable[object], protocol: Callable[..., Promise]) -> list[Promise]:
    """Those of the plugins that keep a promise.

    Args:
        protocol: the Protocol. (mypy refuses one where it wants a ``type``, and takes it as what makes one.)
    """
    found: list[Any] = [plugin for plugin in plugins if keeps(type(plugin), protocol)]
    return found


def missing(plugin: type[Any]) -> list[tuple[str, str]]:
    """What a class has promised and does not have: each Protocol with the name of a method or property."""
    abstract: frozenset[str] = getattr(plugin, "__abstractmethods__", frozenset())
    return sorted((_origin(plugin, name), name) for name in abstract)


def undeclared(plugin: type[Any]) -> list[str]:
    """Protocols of ``contracts`` whose methods the class has all the same: forgotten, or the names mean something
    else."""
    promises = [value for name in contracts.__all__ if is_protocol(value := getattr(contracts, name))]
    return [
        promise.__name__
        for promise in promises
        if not keeps(plugin, promise) and (names := list(_methods(promise))) and all(hasattr(plugin, n) for n in names)
    ]


def _origin(plugin: type[Any], name: str) -> str:
    return next(base.__name__ for base in plugin.__mro__ if name in vars(base))


def _methods(protocol: type[Any]) -> Iterator[str]:
    for base in protocol.__mro__:
        if base is not Protocol and base is not object and is_protocol(base):
            yield from (name for name in vars(base) if not name.startswith("_"))
