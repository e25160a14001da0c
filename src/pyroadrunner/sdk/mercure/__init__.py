"""The server's Mercure hub, from any process that reaches its RPC: publish without a token.

::

    from pyroadrunner.sdk.mercure import Mercure

    with Mercure() as hub:
        hub.publish("https://example.com/books/1", '{"status": "sold out"}')
"""

from pyroadrunner.sdk.mercure.client import AsyncMercure, Mercure

__all__ = ["AsyncMercure", "Mercure"]
