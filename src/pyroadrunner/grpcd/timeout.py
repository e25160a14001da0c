"""The header ``grpc-timeout``. Pure."""

from __future__ import annotations

import re

_FORM = re.compile(rb"([0-9]{1,8})([HMSmun])")
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def parse_timeout(value: bytes) -> float:
    """Seconds of a ``grpc-timeout``: at most 8 digits and a unit.

    Raises:
        ValueError: it has another form.
    """
    found = _FORM.fullmatch(value)
    if found is None:
        raise ValueError(f"malformed grpc-timeout: {value.decode('ascii', 'replace')!r}")
    return int(found[1]) * _SECONDS[found[2]]
