"""What a plugin's constructor asks for, read from its annotations. Pure. The kinds are those of ``contracts``."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol, get_args, get_origin, get_type_hints

import msgspec

from pyroadrunner.contracts import EffectiveConfig


class Kind(Enum):
    """What a constructor's parameter stands for."""

    SECTION = auto()  # the plugin's own section of the config
    ONE = auto()  # the one plugin that keeps a promise
    EVERY = auto()  # a live view on all that keep it
    EFFECTIVE = auto()  # the whole config


@dataclass(frozen=True, slots=True)
class Need:
    """One parameter: its name, what it stands for, and the struct or Protocol it names."""

    parameter: str
    kind: Kind
    of: type[Any]


def needs_of(plugin: type[Any]) -> list[Need]:
    """What to call the class with. Parameters of other types are left to their defaults.

    Raises:
        TypeError: a parameter without a default is of no kind the container knows; or an annotation has no meaning.
    """
    if plugin.__init__ is object.__init__:
        return []
    hints = get_type_hints(plugin.__init__)
    needs = []
    for parameter in list(inspect.signature(plugin.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        need = _need(parameter.name, hints.get(parameter.name))
        if need is not None:
            needs.append(need)
        elif parameter.default is parameter.empty:
            raise TypeError(
                f"{plugin.__qualname__}({parameter.name}: ...) asks for something no plugin can give; a constructor"
                " takes its section's struct, a Protocol, Sequence[Protocol] or Effective"
            )
    return needs


def _need(name: str, annotation: Any) -> Need | None:
    if annotation is EffectiveConfig:
        return Need(name, Kind.EFFECTIVE, EffectiveConfig)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return Need(name, Kind.SECTION, annotation)
    if _is_protocol(annotation):
        return Need(name, Kind.ONE, annotation)
    if get_origin(annotation) is collections.abc.Sequence and _is_protocol(get_args(annotation)[0]):
        return Need(name, Kind.EVERY, get_args(annotation)[0])
    return None


def _is_protocol(annotation: Any) -> bool:
    return isinstance(annotation, type) and bool(getattr(annotation, "_is_protocol", False))


def implements(plugin: type[Any], protocol: type[Any]) -> bool:
    """Whether a class has every method and property of a Protocol. Plain attributes are set by constructors, so a class
    can't be asked for them."""
    return all(hasattr(plugin, member) for member in _members(protocol))


def _members(protocol: type[Any]) -> Iterator[str]:
    for base in protocol.__mro__:
        if base is not Protocol and base is not object and _is_protocol(base):
            yield from (name for name in vars(base) if not name.startswith("_"))


class LiveView(Sequence[Any]):
    """All plugins that keep a promise, as of now: what is constructed later is seen, too."""

    def __init__(self, plugins: Callable[[], Sequence[Any]], protocol: type[Any]) -> None:
        self._plugins = plugins
        self._promise = protocol

    def __repr__(self) -> str:
        return f"LiveView({self._promise.__name__}, {[plugin.name for plugin in self]})"

    def _now(self) -> list[Any]:
        return [plugin for plugin in self._plugins() if implements(type(plugin), self._promise)]

    def __getitem__(self, index: Any) -> Any:
        return self._now()[index]

    def __len__(self) -> int:
        return len(self._now())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._now())
