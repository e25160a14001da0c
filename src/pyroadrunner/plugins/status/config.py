"""The ``status`` section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.net.address import InvalidAddress, parse_address


class StatusConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``status``: an endpoint for probes."""

    address: str = ""
    """`host:port`, `:port` or `unix://path`; required."""
    unavailable_status_code: Annotated[int, Meta(ge=100, le=599)] = 503
    """Status of an answer that says no."""
    check_timeout: Annotated[int, Meta(gt=0)] = 60
    """Seconds for a request to arrive, and for a plugin to say how it is; one that does not is unavailable."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.address:
            yield "address", "is missing; write for example 127.0.0.1:2114"
            return
        try:
            parse_address(self.address, default_scheme="tcp")
        except InvalidAddress as wrong:
            yield "address", str(wrong)
