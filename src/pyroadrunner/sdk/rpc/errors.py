"""Errors of calls."""

from __future__ import annotations

import os

from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.net.address import Address, TcpAddress

_HINT = "is the server running (rr serve), with this `rpc.listen`?"
_DENIED = "the socket belongs to the user of the server: run this as that user, or with sudo"
_NO_RPC = "RR_RPC is not set: the server's config has no section `rpc`"


class RpcError(RoadRunnerError):
    """A call failed."""


class Unreachable(RpcError):
    """The connect to ``rpc.listen`` failed, or the reply did not arrive. In the second case the method may have been
    executed."""


class CallFailed(RpcError):
    """The server replied with an error; the text is the server's."""


def not_connected(address: Address, error: OSError, *, lookup: bool = False) -> Unreachable:
    """The connect failed. The text begins like Go's, since scripts look for ``connection refused``.

    Args:
        lookup: the host name was not found.
    """
    if not isinstance(address, TcpAddress):
        hint = _DENIED if isinstance(error, PermissionError) else _hint()
        return Unreachable(f"dial unix {address.path}: connect: {_words(error)}\n{hint}")
    where = address.to_connect()
    if lookup:
        return Unreachable(f"dial tcp: lookup {where.host}: {_words(error)}\n{_hint()}")
    return Unreachable(f"dial tcp {where.short}: connect: {_words(error)}\n{_hint()}")


def cut(address: Address, error: Exception | None = None) -> Unreachable:
    """The connection closed before the reply arrived."""
    if error is None:
        return Unreachable(f"the server at {address} closed the connection")
    return Unreachable(f"the connection to {address} was lost: {_words(error)}")


def too_late(address: Address, timeout: float) -> Unreachable:
    return Unreachable(f"the server at {address} did not answer within {timeout:g} s")


def not_rpc(address: Address, error: Exception) -> Unreachable:
    return Unreachable(f"{address} is not the RPC of a RoadRunner server: {error}")


def _hint() -> str:
    """A worker whose server has RPC gets its address."""
    return _NO_RPC if "RR_MODE" in os.environ and not os.environ.get("RR_RPC") else _HINT


def _words(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
