"""Parses a scrape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.request import urlopen

_LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)')


def scrape(address: str) -> Mapping[str, float]:
    """Samples by name and labels, in the exposed form: ``rr_http_worker_state{pid="7",state="ready"}``.

    Raises:
        AssertionError: a line does not follow the format.
    """
    with urlopen(f"http://{address}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    samples = {}
    for line in text.splitlines():
        if not line.startswith(("# HELP ", "# TYPE ")):
            found = _LINE.fullmatch(line)
            assert found is not None, line
            samples[found[1] + (found[2] or "")] = float(found[3])
    return samples
