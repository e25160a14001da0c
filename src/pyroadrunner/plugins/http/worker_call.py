"""The call of one request at its pool: gets the reply, and gives the call up when the client has gone."""

from __future__ import annotations

import asyncio

from pyroadrunner.asgi import Scope
from pyroadrunner.plugins.http.errors import ClientGone
from pyroadrunner.workers.call import Submission, drop_stream
from pyroadrunner.workers.payload import Reply


class WorkerCall:
    """Waits for a reply in a task; a receiver for ``WorkerPool.submit``.

    Attributes:
        submission: set by the caller after it has submitted the call.
    """

    __slots__ = ("_reply", "_scope", "submission")
    submission: Submission

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"WorkerCall({self.describe()})"

    async def reply(self) -> Reply:
        """Wait for the reply; if cancelled, give the call up.

        Raises:
            ClientGone: the client disconnected while the call waited for a worker.
            RoadRunnerError: as ``WorkerPool.exec``.
        """
        try:
            return await self._reply
        except asyncio.CancelledError:
            drop_stream(self._reply)
            self.submission.cancel()
            raise

    def on_left(self, gone: bool) -> None:
        """The client has disconnected. If it may still read a response (``gone`` is false), a call that a worker runs
        is finished."""
        if (gone or self.submission.waiting) and not self._reply.done():
            self.submission.cancel()
            self._reply.set_exception(ClientGone("the client disconnected before its request had a response"))

    # Receiver

    def on_reply(self, reply: Reply) -> None:
        if not self._reply.done():
            self._reply.set_result(reply)
        elif reply.stream is not None:
            reply.stream.drop()

    def on_error(self, error: Exception) -> None:
        if not self._reply.done():
            self._reply.set_exception(error)

    def describe(self) -> str:
        return describe(self._scope["method"], self._scope["raw_path"])


def describe(method: str, path: bytes) -> str:
    """``GET /path``."""
    return f"{method} {path.decode(errors='replace')}"
