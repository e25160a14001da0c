"""Write to the server's log from Python workers and scripts; the Python counterpart of PHP's ``AppLogger``.

    log = AppLogger()                                            # the address in RR_RPC, else tcp://127.0.0.1:6001
    log.info("logged in", user=42)                               # channel ``app``, with a field ``user``

``AsyncAppLogger`` is the same for asyncio. The modules: ``messages.py`` (requests, pure), ``blocking.py``,
``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.log.blocking import AppLogger

if TYPE_CHECKING:
    from pyroadrunner.sdk.log.asynchronous import AsyncAppLogger

__all__ = ["AppLogger", "AsyncAppLogger"]


def __getattr__(name: str) -> Any:
    if name != "AsyncAppLogger":
        raise AttributeError(name)
    from pyroadrunner.sdk.log import asynchronous  # a blocking worker does not need to import asyncio

    return asynchronous.AsyncAppLogger
