"""``rr kv``: one function per command. Each prints and returns the exit code.

A missing key is not a server error, but the exit code is 1 for scripts: ``rr kv get cache user:7 || ...``.
"""

from __future__ import annotations

import base64
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pyroadrunner.cli.console import complain, look, say
from pyroadrunner.cli.flags import UsageError
from pyroadrunner.cli.kv import render
from pyroadrunner.cli.rpc_address import server_address
from pyroadrunner.config.durations import parse_duration
from pyroadrunner.config.load import LoadOptions
from pyroadrunner.plugins.kv.timestamps import format_timestamp, parse_timestamp
from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed


def list_storages(options: LoadOptions, *, as_json: bool) -> int:
    """List the storages with their drivers and sizes. Returns 1 if one of them reports an error.

    Raises:
        ConfigError, NoRpc, InvalidAddress, Unreachable, CallFailed: as do all of these commands.
    """
    with RpcClient(server_address(options)) as server:
        storages = server.call("kv.List")
    say(render.as_json(storages) if as_json else render.storages(storages, look()))
    return 1 if any(storage["error"] for storage in storages) else 0


def get(options: LoadOptions, storage: str, keys: Sequence[str], *, as_json: bool) -> int:
    """Print values: a single one as its bytes and a line break, several as a table."""
    _named(keys, "get STORAGE KEY...")
    with RpcClient(server_address(options)) as server:
        found = {item["key"]: _value(item) for item in _items(server, "MGet", storage, keys)}
    values = {key: found[key] for key in keys if key in found}
    if as_json:
        say(render.as_json({key: render.value(value) for key, value in values.items()}))
    elif len(keys) > 1:
        say(render.values(values, look()))
    elif values:
        _write(values[keys[0]])
    return _missing(keys, values)


def set_value(options: LoadOptions, storage: str, key: str, value: str, *, ttl: str) -> int:
    """Store a value; ``-`` reads it from stdin. ``ttl`` is a duration; empty = no expiry."""
    item = {"key": key, "value": base64.b64encode(_given(value)).decode()}
    if ttl:
        item["timeout"] = format_timestamp(int((time.time() + _seconds(ttl)) * 1000) + 999)
    with RpcClient(server_address(options)) as server:
        server.call("kv.Set", {"storage": storage, "items": [item]})
    return 0


def delete(options: LoadOptions, storage: str, keys: Sequence[str], *, as_json: bool) -> int:
    """Delete keys and report those that were missing."""
    _named(keys, "delete STORAGE KEY...")
    with RpcClient(server_address(options)) as server:
        there = {item["key"] for item in _items(server, "Has", storage, keys)}
        _items(server, "Delete", storage, keys)
    if as_json:
        say(render.as_json({"deleted": [key for key in keys if key in there]}))
    return _missing(keys, there)


def ttl(options: LoadOptions, storage: str, keys: Sequence[str], *, as_json: bool) -> int:
    """Print when keys expire."""
    _named(keys, "ttl STORAGE KEY...")
    with RpcClient(server_address(options)) as server:
        there = {item["key"] for item in _items(server, "Has", storage, keys)}
        told = {item["key"]: item.get("timeout", "") for item in _items(server, "TTL", storage, keys)}
    times = {key: parse_timestamp(told[key]) / 1000 if told.get(key) else None for key in keys if key in there}
    say(render.as_json(times) if as_json else render.times(times, time.time(), look()))
    return _missing(keys, there)


def clear(options: LoadOptions, storage: str) -> int:
    """Delete everything in a storage."""
    with RpcClient(server_address(options)) as server:
        server.call("kv.Clear", {"storage": storage})
    return 0


ACTIONS: dict[str, Callable[..., int]] = {"get": get, "delete": delete, "ttl": ttl}


def run(name: str, options: LoadOptions, arguments: Sequence[str], *, lasting: str, as_json: bool) -> int:
    """Run the command ``rr kv NAME`` with its arguments.

    Raises:
        UsageError: an argument is missing or invalid.
    """
    try:
        return _run(name, options, arguments, lasting=lasting, as_json=as_json)
    except CallFailed as failed:
        if "can't find service" in str(failed):
            raise CallFailed("the server has no storages; add the section `kv` to its config") from failed
        raise


def _run(name: str, options: LoadOptions, arguments: Sequence[str], *, lasting: str, as_json: bool) -> int:
    if name == "list":
        return list_storages(options, as_json=as_json)
    if not arguments:
        raise UsageError(f"name a storage: rr kv {name} STORAGE ...; rr kv list shows them")
    storage, *rest = arguments
    if name == "clear":
        return clear(options, storage)
    if name == "set":
        if len(rest) != 2:
            raise UsageError("rr kv set STORAGE KEY VALUE; a VALUE of - is read from stdin")
        return set_value(options, storage, *rest, ttl=lasting)
    return ACTIONS[name](options, storage, rest, as_json=as_json)


def _items(server: RpcClient, method: str, storage: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    request = {"storage": storage, "items": [{"key": key} for key in dict.fromkeys(keys)]}
    items: list[dict[str, Any]] = server.call(f"kv.{method}", request).get("items", [])
    return items


def _value(item: dict[str, Any]) -> bytes:
    return base64.b64decode(item.get("value", ""))


def _named(keys: Sequence[str], usage: str) -> None:
    if not keys:
        raise UsageError(f"name a key: rr kv {usage}")


def _given(value: str) -> bytes:
    return sys.stdin.buffer.read() if value == "-" else os.fsencode(value)


def _seconds(ttl: str) -> float:
    try:
        return parse_duration(ttl)
    except ValueError as wrong:
        raise UsageError(f"--ttl {ttl}: {wrong}") from None


def _missing(keys: Sequence[str], there: Any) -> int:
    missing = [key for key in dict.fromkeys(keys) if key not in there]
    for key in missing:
        complain(f"no such key: {key}")
    return 1 if missing else 0


def _write(value: bytes) -> None:
    try:
        sys.stdout.buffer.write(value + b"\n")
        sys.stdout.buffer.flush()
    except OSError:  # stdout is closed
        pass
