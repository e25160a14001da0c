"""ASGI middleware that misbehaves, and middleware that reports its input."""

from __future__ import annotations

from typing import Any

from pyroadrunner.asgi import ASGIApp, Message, Receive, Scope, Send


class Marks:
    """Adds its constructor arguments to each response."""

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                mark = (b"x-mark", repr(self._options).encode())
                message = {**message, "headers": [*message["headers"], mark]}
            await send(message)

        await self._app({**scope, "pyroadrunner.attributes": {"mark": "set"}}, receive, marked)


class Fails:
    """Fails before the response, or after its head.

    Args:
        late: after the head.
    """

    def __init__(self, app: ASGIApp, *, late: bool = False) -> None:
        self._late = late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._late:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ConnectionRefusedError("redis is away")


def reveal(app: ASGIApp) -> ASGIApp:
    """A function instead of a class: reports the extensions that the inner application gets."""

    async def shown(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "extensions": {**scope["extensions"]}}, receive, send)

    return shown


number = 5
