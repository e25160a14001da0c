"""The calls of Centrifugo's proxy as workers see them. Pure. (grpc-tcp-websocket.md, section 3.2)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from pyroadrunner.grpcd import GrpcStatus, StatusCode
from pyroadrunner.grpcd.metadata import decode_bin
from pyroadrunner.plugins.centrifuge.errors import BadReply
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.workers.payload import Codec, Payload, Reply

SERVICE = "centrifugal.centrifugo.proxy.CentrifugoProxy"
STREAMS = ("SubscribeUnidirectional", "SubscribeBidirectional")  # not supported, as in RoadRunner
# Names that nearly every call has -> keys for the worker; `None`: of HTTP, or of gRPC itself.
_KEYS: Mapping[bytes, str | None] = {
    b"host": ":authority",
    b"content-type": "content-type",
    b"user-agent": "user-agent",
    b"grpc-accept-encoding": "grpc-accept-encoding",
    b"grpc-timeout": None,
    b"grpc-encoding": None,
    b"te": None,
    b"content-length": None,
    b"connection": None,
}

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ProxyMethod:
    """One method of the proxy.

    Attributes:
        name: of the method.
        type: its name for workers.
        request, response: its messages.
    """

    name: str
    type: str
    request: Any
    response: Any


_METHODS = (
    ProxyMethod("Connect", "connect", pb.ConnectRequest, pb.ConnectResponse),
    ProxyMethod("Refresh", "refresh", pb.RefreshRequest, pb.RefreshResponse),
    ProxyMethod("Subscribe", "subscribe", pb.SubscribeRequest, pb.SubscribeResponse),
    ProxyMethod("Publish", "publish", pb.PublishRequest, pb.PublishResponse),
    ProxyMethod("RPC", "rpc", pb.RPCRequest, pb.RPCResponse),
    ProxyMethod("SubRefresh", "subrefresh", pb.SubRefreshRequest, pb.SubRefreshResponse),
    ProxyMethod(
        "NotifyChannelState", "notifychannelstate", pb.NotifyChannelStateRequest, pb.NotifyChannelStateResponse
    ),
    # Not in RoadRunner.
    ProxyMethod("NotifyCacheEmpty", "notifycacheempty", pb.NotifyCacheEmptyRequest, pb.NotifyCacheEmptyResponse),
    ProxyMethod("MapPublish", "mappublish", pb.MapPublishRequest, pb.MapPublishResponse),
    ProxyMethod("MapRemove", "mapremove", pb.MapRemoveRequest, pb.MapRemoveResponse),
    ProxyMethod("SharedPollRefresh", "sharedpollrefresh", pb.SharedPollRefreshRequest, pb.SharedPollRefreshResponse),
)


def methods(sub_refresh_type: str = "subrefresh") -> Mapping[str, ProxyMethod]:
    """The methods by name.

    Args:
        sub_refresh_type: the type of SubRefresh.
    """
    found = {method.name: method for method in _METHODS}
    found["SubRefresh"] = ProxyMethod("SubRefresh", sub_refresh_type, pb.SubRefreshRequest, pb.SubRefreshResponse)
    return found


def payload_of(method: ProxyMethod, headers: Iterable[tuple[bytes, bytes]], message: bytes) -> Payload:
    """The call for a worker: the metadata and ``type`` as JSON, and the bytes of the message.

    Args:
        headers: of the request, names in lower case. The host is ``:authority`` for workers. A key ``type`` of the
            caller is replaced.

    Raises:
        GrpcStatus: a ``-bin`` value is no base64.
    """
    context: dict[str, list[str]] = {}
    for name, value in headers:
        if name in _KEYS:
            key = _KEYS[name]
            if key is None:
                continue
        elif name.startswith(b"grpc-"):
            continue
        else:
            key = name.decode("latin-1")
            if name.endswith(b"-bin"):
                context.setdefault(key, []).extend(_binary(key, value))
                continue
        text = value.decode("utf-8", "replace")
        if key in context:
            context[key].append(text)
        else:
            context[key] = [text]
    context["type"] = [method.type]
    return Payload(_encode(context), message, Codec.PROTO)


def check_request(method: ProxyMethod, message: bytes) -> bool:
    """Whether the bytes are the method's request."""
    return _is_message(method.request, message)


def answer_of(method: ProxyMethod, reply: Reply) -> bytes:
    """The bytes of the answer; the context of the reply is ignored.

    Raises:
        BadReply: the reply is streamed, or is no message of the method.
    """
    if reply.stream is not None:
        raise BadReply("streaming response not supported")
    if not _is_message(method.response, reply.body):
        raise BadReply(f"proto: the worker's reply is no {method.response.DESCRIPTOR.name}")
    return reply.body


def _binary(key: str, value: bytes) -> list[str]:
    try:
        return [one.decode("utf-8", "replace") for one in decode_bin(value)]
    except ValueError as wrong:
        raise GrpcStatus(StatusCode.INTERNAL, f"malformed binary metadata {key!r}: {wrong}") from wrong


def _is_message(message: Any, data: bytes) -> bool:
    try:
        message.FromString(data)
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # its class is elsewhere in each implementation of protobuf
            raise
        return False
    return True
