"""Calls to Pub/Sub over gRPC, with Google's credentials.

Google's own client reads in threads and takes twice the memory; its asynchronous stubs take three to four times the
CPU time (docs/design/2026-11-30-jobs-google-pub-sub.md). So grpcio carries, google-auth signs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import google.auth
import grpc  # type: ignore[import-untyped]
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.protobuf.message import Message
from grpc import StatusCode

from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused
from pyroadrunner.plugins.jobs.drivers.google_pub_sub.config import PubSubSection
from pyroadrunner.proto.pubsub.v1 import pubsub_pb2 as pb

_SCOPES = ("https://www.googleapis.com/auth/pubsub",)
_TIMEOUT = 10.0  # seconds for an answer
_PULL_TIMEOUT = 90.0  # the service answers a call that waits for messages before
_TRIES = 4  # of a call that the service could not answer now
_PAUSE = 0.2  # seconds before the second one; it doubles
_RECONNECTION = 0.1  # seconds before a call that found no connection twice
_BUSY = frozenset((StatusCode.ABORTED, StatusCode.INTERNAL, StatusCode.RESOURCE_EXHAUSTED))
# The pipeline connects again: a new channel must not share the connection, and the pauses, of the one before.
_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)
_REFUSED = frozenset(
    (
        StatusCode.FAILED_PRECONDITION,
        StatusCode.INVALID_ARGUMENT,
        StatusCode.PERMISSION_DENIED,
        StatusCode.UNAUTHENTICATED,
        StatusCode.UNIMPLEMENTED,
    )
)

A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[A]):
    """A method of the service.

    Attributes:
        path: service and name.
        answer: its message.
        about: the field of the request that names a topic or subscription; Google finds the right server by it.
    """

    path: str
    answer: type[A]
    about: str


CREATE_TOPIC = Method("Publisher/CreateTopic", pb.Topic, "name")
LIST_SUBSCRIPTIONS = Method("Publisher/ListTopicSubscriptions", pb.ListTopicSubscriptionsResponse, "topic")
PUBLISH = Method("Publisher/Publish", pb.PublishResponse, "topic")
CREATE_SUBSCRIPTION = Method("Subscriber/CreateSubscription", pb.Subscription, "name")
GET_SUBSCRIPTION = Method("Subscriber/GetSubscription", pb.Subscription, "subscription")
UPDATE_SUBSCRIPTION = Method("Subscriber/UpdateSubscription", pb.Subscription, "subscription.name")
PULL = Method("Subscriber/Pull", pb.PullResponse, "subscription")
ACKNOWLEDGE = Method("Subscriber/Acknowledge", pb.Empty, "subscription")
MODIFY_DEADLINE = Method("Subscriber/ModifyAckDeadline", pb.Empty, "subscription")


class CallFailed(BrokerError):
    """The service's own error.

    Attributes:
        code: of gRPC.
    """

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(f"Pub/Sub: {message or 'no reason given'} ({code.name})")
        self.code = code


class CallRefused(CallFailed, BrokerRefused):
    """Wrong credentials, missing permissions, invalid settings."""


class Client:
    """A channel to the service.

    Args:
        on_lost: called when the service can't be reached.
    """

    def __init__(self, section: PubSubSection, on_lost: Callable[[str], None]) -> None:
        self._address, self._secure = section.address(os.environ)
        self._on_lost = on_lost
        self._channel: grpc.aio.Channel | None = None
        self._calls: dict[str, Any] = {}

    async def open(self) -> None:
        """Find credentials. Calls nothing, except that Google's library may look for those of the machine.

        Raises:
            BrokerRefused
        """
        if not self._secure:
            self._channel = grpc.aio.insecure_channel(self._address, _OPTIONS)
            return
        try:
            credentials = await asyncio.to_thread(_credentials)
        except (GoogleAuthError, OSError, ValueError) as error:
            raise BrokerRefused(f"Pub/Sub: {error}") from error
        self._channel = grpc.aio.secure_channel(self._address, credentials, _OPTIONS)

    async def close(self) -> None:
        """Break off all calls and close the connection. Idempotent."""
        channel, self._channel = self._channel, None
        self._calls.clear()
        if channel is not None:
            await channel.close()

    async def call(self, method: Method[A], request: Message) -> A:
        """Call a method.

        Raises:
            CallFailed, BrokerError
        """
        pause = _PAUSE
        for left in reversed(range(_TRIES)):
            try:
                return await self._try(method, request, _TIMEOUT)
            except _NotReached as error:
                raise self._lost(str(error)) from error
            except CallFailed as error:
                if not left or error.code not in _BUSY:
                    raise
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError

    async def pull(self, request: pb.PullRequest) -> Sequence[pb.ReceivedMessage]:
        """Receive messages; the service waits until there are some, but not for ever.

        Raises:
            CallFailed, BrokerError
        """
        try:
            return (await self._try(PULL, request, _PULL_TIMEOUT)).received_messages
        except _NotReached as error:
            if error.timed_out:
                return ()
            raise self._lost(str(error)) from error

    # inside

    async def _try(self, method: Method[A], request: Message, timeout: float) -> A:
        """Call a method. Again if there was no connection: the service closes each from time to time. A second call may
        still go to the one that is being closed."""
        for pause in (0.0, _RECONNECTION):
            try:
                return await self._send(method, request, timeout)
            except _NotReached as error:
                if error.timed_out:
                    raise
            await asyncio.sleep(pause)
        return await self._send(method, request, timeout)

    async def _send(self, method: Method[A], request: Message, timeout: float) -> A:
        if self._channel is None:
            raise BrokerError("Pub/Sub is not connected")
        call = self._calls.get(method.path)
        if call is None:
            call = self._calls[method.path] = self._channel.unary_unary(
                f"/google.pubsub.v1.{method.path}",
                request_serializer=_serialized,
                response_deserializer=method.answer.FromString,
            )
        metadata = (("x-goog-request-params", f"{method.about}={quote(_value(request, method.about), safe='')}"),)
        try:
            answer: A = await call(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            code, details = error.code(), error.details() or ""
            if code in (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED):
                timed_out = code is StatusCode.DEADLINE_EXCEEDED
                why = f"no reply to {method.path} within {timeout:g} s" if timed_out else details or code.name
                raise _NotReached(f"{self._address}: {why}", timed_out) from error
            raise (CallRefused if code in _REFUSED else CallFailed)(code, details) from error
        except grpc.aio.UsageError as error:  # the channel was closed meanwhile
            raise BrokerError("Pub/Sub is not connected") from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise BrokerError("Pub/Sub is not connected") from None  # the channel was closed in the middle of the call
        return answer

    def _lost(self, why: str) -> BrokerError:
        if self._channel is not None:
            self._on_lost(why)
        return BrokerError(why)


class _NotReached(BrokerError):
    """No answer.

    Attributes:
        timed_out: it took too long.
    """

    def __init__(self, why: str, timed_out: bool) -> None:
        super().__init__(why)
        self.timed_out = timed_out


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def _value(request: Message, field: str) -> str:
    value: Any = request
    for name in field.split("."):
        value = getattr(value, name)
    return str(value)


def _credentials() -> grpc.ChannelCredentials:
    """TLS, and tokens by Google's rules: GOOGLE_APPLICATION_CREDENTIALS, the gcloud command, the machine. Blocks."""
    found, _ = google.auth.default(scopes=_SCOPES)
    plugin = AuthMetadataPlugin(found, Request())  # type: ignore[no-untyped-call]  # it has no annotations
    return grpc.composite_channel_credentials(grpc.ssl_channel_credentials(), grpc.metadata_call_credentials(plugin))
