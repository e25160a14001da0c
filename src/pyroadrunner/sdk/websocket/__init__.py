"""WebSocket clients in a worker, and from any process that reaches the server's RPC.

A whole worker is::

    from pyroadrunner.sdk import websocket

    class Chat(websocket.Handler):
        def on_connect(self, connection):
            connection.join("room")

        def on_message(self, connection, data, binary):
            connection.publish("room", data)

    websocket.serve(Chat())

Publish from elsewhere::

    with websocket.WebSockets() as sockets:
        sockets.publish("room", "Hello!")
"""

from pyroadrunner.sdk.websocket.client import AsyncWebSockets, WebSockets
from pyroadrunner.sdk.websocket.worker import Connection, Handler, WebSocketWorker, serve

__all__ = ["AsyncWebSockets", "Connection", "Handler", "WebSocketWorker", "WebSockets", "serve"]
