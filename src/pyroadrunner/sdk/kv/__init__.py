"""Storages of the server's ``kv`` section for Python workers and scripts; the twin of PHP's ``Kv``.

    cache = Kv("cache")                     # the address in RR_RPC, else tcp://127.0.0.1:6001
    cache.set("greeting", b"hello", ttl=60)
    cache.get("greeting")                   # b"hello"; None once a minute is over
    cache.increment("visits")

``AsyncKv`` is the same for asyncio. The pieces: ``messages.py`` (what is asked, and what the answers mean, pure),
``blocking.py``, ``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.kv.blocking import Kv

if TYPE_CHECKING:
    from pyroadrunner.sdk.kv.asynchronous import AsyncKv

__all__ = ["AsyncKv", "Kv"]


def __getattr__(name: str) -> Any:
    if name != "AsyncKv":
        raise AttributeError(name)
    from pyroadrunner.sdk.kv import asynchronous  # a blocking worker need not wait for asyncio to be imported

    return asynchronous.AsyncKv
