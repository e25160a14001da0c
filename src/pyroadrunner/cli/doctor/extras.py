"""Python packages that parts of the config need and a plain installation does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from pyroadrunner.cli.doctor.finding import Finding, fail, ok
from pyroadrunner.cli.doctor.places import value

_PART = "packages"


def needs(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, the module it needs, and the extra that brings it. Pure.

    Args:
        config: the effective one.
    """
    if value(config, "http.ssl.acme") is not None:
        yield "http.ssl.acme", "acme", "acme"
    if value(config, "http.http3.address"):
        yield "http.http3", "aioquic", "http3"
    if value(config, "otel") is not None:
        yield "otel", "opentelemetry.sdk", "otel"
    if value(config, "lock.driver") == "redis":
        yield "lock.driver", "hiredis", "redis"
    stores = value(config, "kv")
    for name, store in stores.items() if isinstance(stores, dict) else ():
        if isinstance(store, dict) and store.get("driver") == "redis":
            yield f"kv.{name}.driver", "hiredis", "redis"


def look(key: str, module: str, extra: str) -> Finding:
    """Whether a module is installed."""
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is not there
        there = False
    if there:
        return ok(_PART, key, f"{module} is installed")
    return fail(_PART, key, f"the module {module} is not installed", f"pip install 'pyroadrunner[{extra}]'")
