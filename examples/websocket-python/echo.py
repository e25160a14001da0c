"""HTTP requests and WebSocket events in one program."""

import os

from pyroadrunner.sdk import http, websocket
from pyroadrunner.sdk.websocket import Connection


class Echo(websocket.Handler):
    def on_connect(self, connection: Connection) -> None:
        connection.join("all")
        connection.state = {"messages": 0}

    def on_message(self, connection: Connection, data: bytes, binary: bool) -> None:
        connection.state["messages"] += 1
        if binary:
            connection.send(data)
        else:
            connection.send(f"{connection.state['messages']}: {data.decode()}")


# The server starts this file once for each pool, and RR_MODE names the plugin.
if os.environ["RR_MODE"] == "websocket":
    websocket.serve(Echo())
else:
    http.serve(lambda request: "This server talks WebSocket at /ws.\n")
