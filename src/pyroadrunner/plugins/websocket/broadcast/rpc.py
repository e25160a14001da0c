"""RPC methods ``broadcast.*``: the package ``spiral/roadrunner-broadcast`` calls them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pyroadrunner.contracts import Log, PublishesToTopics, RoadRunnerError, RpcMethod
from pyroadrunner.plugins.websocket.broadcast.errors import NotPublished
from pyroadrunner.proto.broadcast.v1.broadcast_pb2 import Request, Response

_MAX_WAITING = 1000  # requests of PublishAsync

log = Log("broadcast")


class BroadcastRpc:
    """Publishes to the clients of all plugins that have topics."""

    def __init__(self, publishers: Sequence[PublishesToTopics]) -> None:
        self._publishers = publishers
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(_MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def methods(self) -> Mapping[str, RpcMethod]:
        return {
            "Publish": RpcMethod(self.publish, message=Request),
            "PublishAsync": RpcMethod(self.publish_later, message=Request),
        }

    async def publish(self, request: Request) -> Response:
        """Return when the messages are published.

        Raises:
            RoadRunnerError: some were not.
        """
        await self._publish(request)
        return Response(ok=True)

    def publish_later(self, request: Request) -> Response:
        """Return at once; what fails then is logged.

        Raises:
            NotPublished: too many wait.
        """
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._publish_waiting(), name="broadcast.PublishAsync")
        try:
            self._waiting.put_nowait(request)
        except asyncio.QueueFull:
            raise NotPublished(f"{_MAX_WAITING} calls of broadcast.PublishAsync wait already") from None
        return Response(ok=True)

    async def stop(self, seconds: float) -> None:
        """Publish what waits, within a time limit."""
        if self._task is not None:
            await asyncio.wait([asyncio.ensure_future(self._waiting.join())], timeout=seconds)
            self._task.cancel()
            if count := self._waiting.qsize():
                log.error("messages were not published before the stop", requests=count)

    async def _publish_waiting(self) -> None:
        while True:
            request = await self._waiting.get()
            try:
                await self._publish(request)
            except RoadRunnerError as error:
                log.error("messages of broadcast.PublishAsync were not published", error=str(error))
            finally:
                self._waiting.task_done()

    async def _publish(self, request: Request) -> None:
        publishers = list(self._publishers)
        if not publishers:
            log.warning("no client can get the messages: there is neither a section websockets nor websocket")
        for message in request.messages:
            topics = [topic for topic in message.topics if topic]
            if len(topics) < len(message.topics):
                log.warning("a message has an empty topic; skipped")
            for publisher in publishers:
                await publisher.publish_to_topics(topics, message.payload)
