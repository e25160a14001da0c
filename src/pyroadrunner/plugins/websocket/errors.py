"""Errors of the ``websocket`` plugin."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class WebSocketError(RoadRunnerError):
    """Any error of this plugin."""


class NotInstalled(WebSocketError):
    """The package is missing."""

    def __init__(self, missing: str, extra: str = "websocket") -> None:
        super().__init__(
            f"the section websocket needs a package that is not installed: pip install 'pyroadrunner[{extra}]'"
            f" (missing: {missing})"
        )


class RedisNotUsable(WebSocketError):
    """The settings of Redis can't be used."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"websocket: the settings of Redis can't be used: {error}")


class NoHttp(WebSocketError):
    """Nothing listens."""

    def __init__(self) -> None:
        super().__init__("the section websocket needs the section http, or websocket.address for a port of its own")


class NoApplication(WebSocketError):
    """A webhook is for the application of this server."""

    def __init__(self, path: str) -> None:
        super().__init__(f"websocket.apps: the webhook {path} is for the application behind the section http: add that")


class UnknownConnection(WebSocketError):
    """No such connection on this server."""

    def __init__(self, connection: str) -> None:
        super().__init__(f"no connection has the id {connection!r}")


class BadMessage(WebSocketError):
    """The arguments of an RPC call make no message."""
