"""What a plugin's constructor asks for, read from its annotations. Pure. The kinds are those of ``contracts``."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from pyroadrunner.container.promises import is_protocol, keeps
from pyroadrunner.contracts import EffectiveConfig


class Kind(Enum):
    """What a constructor's parameter stands for."""

    SECTION = auto()  # the plugin's own section of the config
    ONE = auto()  # the one plugin that keeps a promise
    EVERY = auto()  # a live view on all that keep it
    EFFECTIVE = auto()  # the whole config


@dataclass(frozen=True, slots=True)
class Need:
    """One parameter of a constructor.

    Attributes:
        parameter: its name.
        kind: what it stands for.
        of: the struct or Protocol it names.
        optional: ``X | None``: it gets ``None`` where the section is absent, or no plugin keeps the promise.
    """

    parameter: str
    kind: Kind
    of: type[Any]
    optional: bool = False


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
                " takes its section's struct, a Protocol (either of them `| None`), Sequence[Protocol] or"
                " EffectiveConfig"
            )
    return needs


def _need(name: str, annotation: Any) -> Need | None:
    named, optional = _without_none(annotation)
    if named is EffectiveConfig:
        return Need(name, Kind.EFFECTIVE, EffectiveConfig)
    if isinstance(named, type) and issubclass(named, msgspec.Struct):
        return Need(name, Kind.SECTION, named, optional)
    if is_protocol(named):
        return Need(name, Kind.ONE, named, optional)
    if get_origin(named) is collections.abc.Sequence and is_protocol(get_args(named)[0]):
        return Need(name, Kind.EVERY, get_args(named)[0])
    return None


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X`` and whether ``None`` is allowed too; other unions stay what they are."""
    alternatives = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    others = [one for one in alternatives if one is not NoneType]
    if len(others) == 1 and len(alternatives) == 2:
        return others[0], True
    return annotation, False


class LiveView(Sequence[Any]):
    """All plugins that keep a promise, as of now: what is constructed later is seen, too."""

    def __init__(self, plugins: Callable[[], Sequence[Any]], protocol: type[Any]) -> None:
        self._plugins = plugins
        self._promise = protocol

    def __repr__(self) -> str:
        return f"LiveView({self._promise.__name__}, {[plugin.name for plugin in self]})"

    def _now(self) -> list[Any]:
        return [plugin for plugin in self._plugins() if keeps(type(plugin), self._promise)]

    def __getitem__(self, index: Any) -> Any:
        return self._now()[index]

    def __len__(self) -> int:
        return len(self._now())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._now())
