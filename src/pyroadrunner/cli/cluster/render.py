"""The output of ``rr cluster``, rendered from plain data. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyroadrunner.cli.workers.box_drawing import Cell, cut, draw
from pyroadrunner.cli.workers.humanize import duration

_WIDTH = 60  # of a name or a text
_ANSWERING = 15.0  # seconds: a list that is older is said to be old


def as_json(data: Any) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def cluster(found: Mapping[str, Any], now: float) -> str:
    """The state of the registry, then one line per server.

    Args:
        found: the reply of ``discovery.Servers``.
        now: Unix time.
    """
    lines = [_headline(found)]
    rows = [_row(server, now) for server in found["servers"]]
    if rows:
        lines.append(draw(["ID", "HEALTH", "VERSION", "AGE", "ADDRESSES", "TAGS"], rows, coloured=False))
    elif found["age"] is not None:
        lines.append("no servers")
    lines += [
        f"{_shown(server['id'])}: {_shown(server['reason'])}" for server in found["servers"] if server.get("reason")
    ]
    return "\n".join(lines)


def results(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line per server: what came of a command."""
    width = max((len(_shown(one["server"])) for one in found), default=0)
    for one in found:
        yield f"{_shown(one['server']):{width}}  {'done' if one['ok'] else 'FAILED'}  {_printable(one['message'])}"


def reloaded(outcome: Mapping[str, Sequence[Any]]) -> str:
    """The outcome of a reload in a few words."""
    applied, restart = len(outcome["applied"]), len(outcome["restart"])
    text = f"{applied} change{'s' * (applied != 1)} applied" if applied else "nothing has changed"
    return f"{text}, {restart} need{'s' * (restart == 1)} a restart" if restart else text


def _headline(found: Mapping[str, Any]) -> str:
    text = f"{found['name']} in {found['registry']}: {found['state']}"
    if found["error"]:
        text += f": {_printable(found['error'])}"
    age = found["age"]
    if age is None:
        return f"{text}; the servers are not known yet"
    return f"{text}; the list is {duration(age)} old" if found["error"] or age > _ANSWERING else text


def _row(server: Mapping[str, Any], now: float) -> list[Cell]:
    started = server.get("started", 0)
    addresses = _addresses(server.get("endpoints", ()))
    return [
        Cell(_shown(server["id"])),
        Cell(_shown(server["health"])),
        Cell(_shown(server.get("version", "") or "-")),
        Cell(duration(now - started) if started else "-"),
        Cell(cut(_printable(addresses or "-"), 2 * _WIDTH)),
        Cell(_shown(" ".join(server.get("tags", ())) or "-")),
    ]


def _addresses(endpoints: Sequence[Mapping[str, Any]]) -> str:
    """``10.0.0.5: http 8080, metrics 2112``: a server mostly has one host, named once."""
    hosts: dict[str, list[str]] = {}
    for one in endpoints:
        kind = f"{one['kind']} {one['name']}" if one.get("name") else one["kind"]
        hosts.setdefault(one["host"], []).append(f"{kind} {one['port']}{one.get('path', '')}")
    return "; ".join(f"{host}: {', '.join(found)}" for host, found in hosts.items())


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _shown(text: str) -> str:
    return cut(_printable(text), _WIDTH)
