"""Calls methods of the running server from Python workers, scripts and ``rr`` commands.

    with RpcClient() as server:                # the address in RR_RPC, else tcp://127.0.0.1:6001
        server.call("informer.List")           # in JSON
        server.call_message("kv.Has", request, Response)
        server.call_bytes("rpc.Config")        # raw

``AsyncRpcClient`` is the same for asyncio, with any number of concurrent calls. It is part of ``pyroadrunner.sdk``, but
also works outside a worker. The modules: ``encoding.py`` (values and frames, pure), ``errors.py``, ``blocking.py``,
``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.rpc.blocking import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed, RpcError, Unreachable

if TYPE_CHECKING:
    from pyroadrunner.sdk.rpc.asynchronous import AsyncRpcClient

__all__ = ["AsyncRpcClient", "CallFailed", "RpcClient", "RpcError", "Unreachable"]


def __getattr__(name: str) -> Any:
    if name != "AsyncRpcClient":
        raise AttributeError(name)
    from pyroadrunner.sdk.rpc import asynchronous  # importing asyncio takes half of the time of `rr workers`

    return asynchronous.AsyncRpcClient
