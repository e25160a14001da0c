"""The page ``/sd``: HTTP service discovery of Prometheus. Pure.

https://prometheus.io/docs/prometheus/latest/http_sd/: a list of groups with ``targets`` and ``labels``. Labels that
begin with ``__meta_`` are for relabelling, the others are on every series.
"""

from __future__ import annotations

import re

import msgspec

from pyroadrunner.plugins.discovery.server import Server

_META = "__meta_rr_"
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")


def target_group(server: Server, kind: str) -> list[bytes]:
    """The group of a server in JSON, healthy or not; none if it has no address of this kind."""
    found = [one.address for one in server.endpoints if one.kind == kind]
    return [msgspec.json.encode({"targets": found, "labels": _labels(server)})] if found else []


def _labels(server: Server) -> dict[str, str]:
    labels = {
        "rr_server": server.id,
        f"{_META}version": server.version,
        f"{_META}health": server.health,
        f"{_META}tags": f",{','.join(server.tags)}," if server.tags else "",  # as Prometheus' own discoveries do
    }
    for key, text in server.metadata.items():
        labels[f"{_META}metadata_{_NOT_IN_LABELS.sub('_', key)}"] = text
    return {key: text for key, text in labels.items() if text}
