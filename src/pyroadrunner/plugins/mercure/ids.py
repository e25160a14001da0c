"""Ids that the hub makes."""

from __future__ import annotations

import secrets
import time


def new_id() -> str:
    """A URN of a UUID of version 7 (RFC 9562): sorted by time."""
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_subscriber() -> str:
    """A URN of a random UUID: subscriptions show it to others."""
    value = secrets.randbits(128)
    value = value & ~(0xF << 76) | 4 << 76
    value = value & ~(3 << 62) | 2 << 62
    text = f"{value:032x}"
    return f"urn:uuid:{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
