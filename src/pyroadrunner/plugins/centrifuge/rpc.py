"""The methods of ``centrifuge``: those of Centrifugo's API, under the same names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.proto.centrifugo.api.v1 import api_pb2 as pb

# A method of the API: its name, a request, the class of the answer.
CallApi = Callable[[str, Any, Any], Awaitable[Any]]

METHODS: Mapping[str, tuple[Any, Any]] = {
    "Batch": (pb.BatchRequest, pb.BatchResponse),
    "Publish": (pb.PublishRequest, pb.PublishResponse),
    "Broadcast": (pb.BroadcastRequest, pb.BroadcastResponse),
    "Subscribe": (pb.SubscribeRequest, pb.Done),
    "Unsubscribe": (pb.UnsubscribeRequest, pb.Done),
    "Disconnect": (pb.DisconnectRequest, pb.Done),
    "Presence": (pb.ChannelRequest, pb.PresenceResponse),
    "PresenceStats": (pb.ChannelRequest, pb.PresenceStatsResponse),
    "History": (pb.HistoryRequest, pb.HistoryResponse),
    "HistoryRemove": (pb.ChannelRequest, pb.Done),
    "Info": (pb.Empty, pb.InfoResponse),
    "RPC": (pb.RPCRequest, pb.RPCResponse),
    "Refresh": (pb.RefreshRequest, pb.Done),
    "Channels": (pb.ChannelsRequest, pb.ChannelsResponse),
    "Connections": (pb.ConnectionsRequest, pb.ConnectionsResponse),
    "UpdateUserStatus": (pb.UpdateUserStatusRequest, pb.Done),
    "GetUserStatus": (pb.UsersRequest, pb.GetUserStatusResponse),
    "DeleteUserStatus": (pb.UsersRequest, pb.Done),
    "BlockUser": (pb.BlockUserRequest, pb.Done),
    "UnblockUser": (pb.UnblockUserRequest, pb.Done),
    "RevokeToken": (pb.RevokeTokenRequest, pb.Done),
    "InvalidateUserTokens": (pb.InvalidateUserTokensRequest, pb.Done),
    "DeviceRegister": (pb.DeviceRegisterRequest, pb.DeviceRegisterResponse),
    "DeviceUpdate": (pb.DeviceUpdateRequest, pb.Done),
    "DeviceRemove": (pb.DeviceRemoveRequest, pb.Done),
    "DeviceList": (pb.DeviceListRequest, pb.DeviceListResponse),
    "DeviceTopicList": (pb.DeviceTopicListRequest, pb.DeviceTopicListResponse),
    "DeviceTopicUpdate": (pb.DeviceTopicUpdateRequest, pb.Done),
    "UserTopicList": (pb.UserTopicListRequest, pb.UserTopicListResponse),
    "UserTopicUpdate": (pb.UserTopicUpdateRequest, pb.Done),
    "SendPushNotification": (pb.SendPushNotificationRequest, pb.SendPushNotificationResponse),
    "UpdatePushStatus": (pb.UpdatePushStatusRequest, pb.Done),
    "CancelPush": (pb.CancelPushRequest, pb.Done),
    "RateLimit": (pb.Empty, pb.Done),
    # Not in RoadRunner.
    "MapPublish": (pb.MapPublishRequest, pb.MapChangeResponse),
    "MapRemove": (pb.MapRemoveRequest, pb.MapChangeResponse),
    "MapReadState": (pb.MapReadStateRequest, pb.MapReadResponse),
    "MapReadStream": (pb.MapReadStreamRequest, pb.MapReadResponse),
    "MapStats": (pb.ChannelRequest, pb.MapStatsResponse),
    "MapClear": (pb.ChannelRequest, pb.Done),
    "SharedPollPublish": (pb.SharedPollPublishRequest, pb.Done),
}


def rpc_methods(call: CallApi) -> Mapping[str, RpcMethod]:
    """All methods. Fields that this version does not know are forwarded, too."""
    return {
        name: RpcMethod(partial(_forward, call, name, answer), message=request)
        for name, (request, answer) in METHODS.items()
    }


def _forward(call: CallApi, name: str, answer: Any, request: Any) -> Awaitable[Any]:
    return call(name, request, answer)
