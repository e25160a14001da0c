"""A chat: HTTP requests and WebSocket events in one program."""

import json
import os
from pathlib import Path
from urllib.parse import parse_qs

from pyroadrunner.sdk import http, websocket
from pyroadrunner.sdk.websocket import Connection, WebSockets

ROOM = "room.lobby"  # messages, with a history
PEOPLE = "people.lobby"  # who comes, goes and types


class Chat(websocket.Handler):
    def __init__(self, sockets: WebSockets) -> None:
        self.sockets = sockets

    def on_connect(self, connection: Connection) -> None:
        query = {key: values[0] for key, values in parse_qs(connection.query).items()}
        if not query.get("name", "").strip():
            connection.reject(403, "say who you are: ?name=...\n")
            return
        connection.identify(query["name"].strip())
        # A page that lost its connection says where it was, and gets what it missed.
        connection.join(ROOM, envelope=True, offset=int(query.get("offset", 0)), epoch=query.get("epoch", ""))
        connection.join(PEOPLE)

    def on_message(self, connection: Connection, data: bytes, binary: bool) -> None:
        message = json.loads(data)
        if "text" in message:
            connection.publish(ROOM, json.dumps({"from": connection.user, "text": message["text"]}))
        elif "typing" in message:
            connection.publish(PEOPLE, json.dumps({"typing": connection.user}), others=True)
        elif "hello" in message:
            connection.send(json.dumps({"people": self.people()}))
            connection.publish(PEOPLE, json.dumps({"joined": connection.user}), others=True)

    def on_close(self, connection: Connection, code: int, reason: str) -> None:
        if connection.user not in self.people():  # and not in another tab
            connection.publish(PEOPLE, json.dumps({"left": connection.user}))

    def people(self) -> list[str]:
        return [member["user"] for member in self.sockets.presence(PEOPLE)]


# The server starts this file once for each pool, and RR_MODE names the plugin.
if os.environ["RR_MODE"] == "websocket":
    websocket.serve(Chat(WebSockets()))
else:
    page = Path(__file__).with_name("chat.html").read_bytes()
    http.serve(lambda request: http.Response(200, page, {"Content-Type": "text/html; charset=utf-8"}))
