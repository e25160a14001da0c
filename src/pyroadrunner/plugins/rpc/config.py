"""The ``rpc`` section."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from pyroadrunner.net.address import InvalidAddress, parse_address


class RpcConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``rpc``: the address at which workers and ``rr`` commands reach the running server."""

    listen: str = "tcp://127.0.0.1:6001"
    """``tcp://host:port`` or ``unix://path``. Loopback by default: every client on this address can control the
    server."""

    def faults(self) -> Iterable[tuple[str, str]]:
        """An invalid address."""
        try:
            parse_address(self.listen)
        except InvalidAddress as wrong:
            yield "listen", str(wrong)
