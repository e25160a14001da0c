"""The ``status`` section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from pyroadrunner.net.address import InvalidAddress, parse_address


class StatusConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``status``: an HTTP endpoint for probes."""

    address: str = ""
    """`host:port`, `:port` or `unix://path`; required."""
    unavailable_status_code: Annotated[int, Meta(ge=100, le=599)] = 503
    """Status code of a negative response."""
    check_timeout: Annotated[int, Meta(gt=0)] = 60
    """Seconds for a request to arrive, and for the check of a plugin; a plugin that takes longer is unavailable."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.address:
            yield "address", "is missing; for example 127.0.0.1:2114"
            return
        try:
            parse_address(self.address, default_scheme="tcp")
        except InvalidAddress as wrong:
            yield "address", str(wrong)
