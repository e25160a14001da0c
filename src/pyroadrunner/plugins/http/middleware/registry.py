"""The names allowed in ``http.middleware``, and how to make a layer from each. Modules are imported only when named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from pyroadrunner.asgi import ASGIApp
from pyroadrunner.contracts import Tracing
from pyroadrunner.log import Log
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.plugins.http.counters import RequestCounters
from pyroadrunner.plugins.http.middleware.config import BUILT_IN, is_path

log = Log("http")

Around = Callable[[ASGIApp], ASGIApp]

_PACKAGE = "pyroadrunner.plugins.http.middleware"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a middleware may use to build its layer.

    Attributes:
        config: the ``http`` section.
        effective: the whole config, for middleware with a section of its own.
        tracing: creates spans; at most one.
        counters: the request counters.
    """

    config: HttpConfig
    effective: Mapping[str, Any]
    tracing: Sequence[Tracing] = ()
    counters: RequestCounters = field(default_factory=RequestCounters)


def layers(setup: Setup) -> Sequence[Around]:
    """The configured middleware in the configured order: the first is the innermost.

    An unknown name only logs a warning, as in RoadRunner: it must not prevent the start.

    Raises:
        RoadRunnerError: the options of a middleware are invalid.
    """
    found = []
    for name in setup.config.middleware:
        around = _layer(name, setup)
        if around is not None:
            found.append((name, around))
    if any(name == "otel" for name, _ in found):
        traced: Sequence[Around] = import_module(f"{_PACKAGE}.otel").with_children(found, setup.tracing[0])
        return traced
    return [around for _, around in found]


def _layer(name: str, setup: Setup) -> Around | None:
    custom = name in setup.config.custom
    if name in BUILT_IN:
        if custom:
            log.warning("http.custom has the name of a built-in middleware; using the built-in one", name=name)
        around: Around | None = import_module(f"{_PACKAGE}.{BUILT_IN[name]}").build(setup)
        if around is None:
            log.warning("requested middleware has no options and does nothing", requested=name)
        return around
    if custom or is_path(name):
        made: Around = import_module(f"{_PACKAGE}.custom").build(name, setup.config)
        return made
    return None  # loading the config has logged a warning
