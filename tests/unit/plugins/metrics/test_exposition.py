"""Families to text."""

from __future__ import annotations

import math

import pytest

from pyroadrunner.contracts import MetricFamily, Sample
from pyroadrunner.plugins.metrics.exposition import exposition, shortest


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (14, "14"),
        (0.25, "0.25"),
        (14032896, "1.4032896e+07"),
        (1e6, "1e+06"),
        (999999, "999999"),
        (123456.5, "123456.5"),
        (1234567.5, "1.2345675e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-2500000.0, "-2.5e+06"),
        (2.0**64, "1.8446744073709552e+19"),
        (1e300, "1e+300"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_a_number_is_written_as_go_does(value: float, text: str) -> None:
    assert shortest(value) == text
    if not math.isnan(value):
        assert float(text) == value


def test_labels_come_by_name_and_le_last_and_text_is_escaped() -> None:
    family = MetricFamily(
        "b", "histogram", 'a "b"\\\nc', [Sample({"z": 'q"\\\n', "le": "0.5", "a": "1"}, 2, "_bucket")]
    )
    assert exposition([family]) == (
        '# HELP b a "b"\\\\\\nc\n# TYPE b histogram\nb_bucket{a="1",z="q\\"\\\\\\n",le="0.5"} 2\n'
    )


def test_families_come_by_name_and_an_empty_or_second_one_is_left_out() -> None:
    families = [
        MetricFamily("b", "gauge", "first", [Sample({}, 1)]),
        MetricFamily("a", "gauge", "", [Sample({}, 2)]),
        MetricFamily("b", "gauge", "second", [Sample({}, 3)]),
        MetricFamily("c", "gauge", "empty", []),
    ]
    assert exposition(families) == "# HELP a \n# TYPE a gauge\na 2\n# HELP b first\n# TYPE b gauge\nb 1\n"
