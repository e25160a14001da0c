"""The application's own metrics, from Python workers and scripts; the Python counterpart of PHP's ``Metrics``.

    metrics = Metrics()                                          # the address in RR_RPC, else tcp://127.0.0.1:6001
    metrics.declare("logins", "counter", labels=["how"])         # when the worker boots; repeating it has no effect
    metrics.add("logins", 1, ["form"])

``AsyncMetrics`` is the same for asyncio. The modules: ``messages.py`` (requests, pure), ``blocking.py``,
``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.metrics.blocking import Metrics

if TYPE_CHECKING:
    from pyroadrunner.sdk.metrics.asynchronous import AsyncMetrics

__all__ = ["AsyncMetrics", "Metrics"]


def __getattr__(name: str) -> Any:
    if name != "AsyncMetrics":
        raise AttributeError(name)
    from pyroadrunner.sdk.metrics import asynchronous  # a blocking worker does not need to import asyncio

    return asynchronous.AsyncMetrics
