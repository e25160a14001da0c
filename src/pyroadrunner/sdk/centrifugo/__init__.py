"""Centrifugo: answer its calls with :class:`Handlers`, call its API with :class:`Centrifugo` or
:class:`AsyncCentrifugo`; the Python counterpart of PHP's ``PyRoadRunner\\Centrifugo``.

A whole worker is::

    from pyroadrunner.sdk.centrifugo import Handlers

    handlers = Handlers()

    @handlers.on("connect")
    def connect(call):
        return {"user": "42", "channels": ["news"]}

    handlers.serve()

A whole publisher::

    from pyroadrunner.sdk.centrifugo import Centrifugo

    with Centrifugo() as centrifugo:
        centrifugo.publish("news", {"text": "hello"})

The modules: ``messages.py`` (pure), ``worker.py``, ``blocking.py``, ``asynchronous.py``.
"""

from typing import TYPE_CHECKING, Any

from pyroadrunner.sdk.centrifugo.blocking import Centrifugo
from pyroadrunner.sdk.centrifugo.messages import CentrifugoError

if TYPE_CHECKING:
    from pyroadrunner.sdk.centrifugo.asynchronous import AsyncCentrifugo
    from pyroadrunner.sdk.centrifugo.worker import Call, CentrifugoWorker, Handlers, serve

__all__ = ["AsyncCentrifugo", "Call", "Centrifugo", "CentrifugoError", "CentrifugoWorker", "Handlers", "serve"]


def __getattr__(name: str) -> Any:
    # A publisher needs neither asyncio nor protobuf.
    if name == "AsyncCentrifugo":
        from pyroadrunner.sdk.centrifugo import asynchronous

        return asynchronous.AsyncCentrifugo
    if name in __all__:
        from pyroadrunner.sdk.centrifugo import worker

        return getattr(worker, name)
    raise AttributeError(name)
