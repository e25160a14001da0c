"""HTTP request contexts in the server's form (spec of http, "JSON form")."""

from __future__ import annotations

import json
from typing import Any


def context(path: str = "/", **changes: Any) -> bytes:
    """A complete context of a GET request; ``changes`` replace its keys."""
    head = {
        "remoteAddr": "192.0.2.1",
        "protocol": "HTTP/1.1",
        "method": "GET",
        "uri": f"http://example.com:81{path}",
        "headers": {"User-Agent": ["test"]},
        "cookies": {},
        "rawQuery": path.partition("?")[2],
        "parsed": False,
        "uploads": None,
        "attributes": {},
    }
    return json.dumps(head | changes, separators=(",", ":")).encode()
