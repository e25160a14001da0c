"""Families -> Prometheus' text format 0.0.4. Pure.

Not ``prometheus-client``: it appends ``_total`` and ``_created`` to names, which breaks dashboards made for RoadRunner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from pyroadrunner.contracts import MetricFamily, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
_LAST = ("le", "quantile")


def exposition(families: Iterable[MetricFamily]) -> str:
    """Format the families, sorted by name. Skips families without samples and later ones with a duplicate name."""
    named: dict[str, MetricFamily] = {}
    for family in families:
        if family.samples:
            named.setdefault(family.name, family)
    return "".join(line for name in sorted(named) for line in _lines(named[name]))


def _lines(family: MetricFamily) -> Iterator[str]:
    help_text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {family.name} {help_text}\n# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        yield _line(family.name, sample)


def _line(name: str, sample: Sample) -> str:
    labels = _labels(sample.labels) if sample.labels else ""
    return f"{name}{sample.suffix}{labels} {shortest(sample.value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    """Format labels sorted by name, with ``le`` and ``quantile`` last."""
    names = sorted(labels, key=lambda name: (name in _LAST, name))
    return "{" + ",".join(f'{name}="{_escaped(labels[name])}"' for name in names) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def shortest(value: float) -> str:
    """The shortest text for a number, as Go writes it: ``14``, ``0.25``, ``1.4032896e+07``, ``+Inf``."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    # strconv.FormatFloat(v, 'g', -1): an exponent from a million up, and below 0.0001.
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(float(value)).removesuffix(".0")
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1
    fraction = "".join(map(str, digits[1:]))
    mantissa = f"{digits[0]}.{fraction}" if fraction else str(digits[0])
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"
