"""Storages of the server's ``kv`` section for Python workers and scripts; the Python counterpart of PHP's ``Kv``.

    cache = Kv("cache")                     # the address in RR_RPC, else tcp://127.0.0.1:6001
    cache.set("greeting", b"hello", ttl=60)
    cache.get("greeting")                   # b"hello"; None after a minute
    cache.increment("visits")

``AsyncKv`` is the same for asyncio. The modules: ``messages.py`` (requests and replies, pure), ``blocking.py``,
``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.kv.blocking import Kv

if TYPE_CHECKING:
    from pyroadrunner.sdk.kv.asynchronous import AsyncKv

__all__ = ["AsyncKv", "Kv"]


def __getattr__(name: str) -> Any:
    if name != "AsyncKv":
        raise AttributeError(name)
    from pyroadrunner.sdk.kv import asynchronous  # a blocking worker does not need to import asyncio

    return asynchronous.AsyncKv
