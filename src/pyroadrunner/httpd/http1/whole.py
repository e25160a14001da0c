"""What an application may implement to serve requests without a task: the short way of small requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from pyroadrunner.asgi import Client, Message, Scope
from pyroadrunner.httpd.http1.header_block import HeaderBlock
from pyroadrunner.httpd.http1.request_head import RequestHead


class WholeExchange(Client, Protocol):
    """One request whose body has arrived, for an application that responds in callbacks instead of a task. Such an
    application has a method ``serve_whole(exchange, body) -> bool``; it returns ``False`` if it does not serve this
    request in callbacks: then it is called as an ASGI application.

    Attributes:
        head: of the request.
        client, server: the addresses of the connection; ``None`` for a unix socket.
        on_stop: called when the server stops and its grace period is over.
    """

    head: RequestHead
    client: tuple[str, int] | None
    server: tuple[str, int] | None
    on_stop: Callable[[], None] | None

    @property
    def scope(self) -> Scope:
        """The scope of ASGI; made when it is first asked for."""

    def respond(self, status: int, block: HeaderBlock, body: bytes, length: int | None) -> None:
        """Send a whole response; ``length`` is the value of ``Content-Length``, ``None`` = none is sent."""

    def continue_in_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Go on with a coroutine that uses :meth:`send`."""

    async def send(self, message: Message) -> None:
        """The ASGI callable."""

    def abort(self) -> None:
        """Close the connection: no response is possible."""


ServeWhole = Callable[[WholeExchange, bytes], bool]
