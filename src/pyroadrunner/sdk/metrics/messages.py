"""Build requests to the service ``metrics``. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Kind = Literal["counter", "gauge", "histogram", "summary"]


def change(name: str, value: float, labels: Sequence[str]) -> dict[str, Any]:
    """The argument of ``Add``, ``Sub``, ``Set``, ``Observe``."""
    return {"name": name, "value": value, "labels": list(labels)}


def declaration(
    name: str,
    kind: Kind,
    help_text: str,
    namespace: str,
    subsystem: str,
    labels: Sequence[str],
    buckets: Sequence[float],
    objectives: Mapping[float, float],
) -> dict[str, Any]:
    """The argument of ``Declare``."""
    return {
        "name": name,
        "collector": {
            "type": kind,
            "help": help_text,
            "namespace": namespace,
            "subsystem": subsystem,
            "labels": list(labels),
            "buckets": list(buckets),
            "objectives": {str(quantile): error for quantile, error in objectives.items()},
        },
    }
