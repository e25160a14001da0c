"""The RPC service ``temporal``."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence

import msgspec
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payloads

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.plugins.temporal.errors import EmptyKey, InvalidHeartbeat, NotRunning
from pyroadrunner.plugins.temporal.host import Host
from pyroadrunner.plugins.temporal.replay_rpc import ReplayRpc
from pyroadrunner.proto.temporal.v1.protocol_pb2 import History as ReplayedHistory
from pyroadrunner.proto.temporal.v1.protocol_pb2 import ReplayRequest

_CANCELLATION = 0.01  # seconds in which a cancellation usually arrives


class Heartbeat(msgspec.Struct, kw_only=True, rename="camel"):
    """Base64 both."""

    task_token: str = ""
    details: str = ""


class HeartbeatReply(msgspec.Struct, kw_only=True, frozen=True):
    """What Temporal wants of the activity."""

    canceled: bool
    paused: bool
    reset: bool


class TemporalRpc:
    """The methods, for ``rpc``."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def methods(self) -> Mapping[str, RpcMethod]:
        replays = ReplayRpc(self._host)
        return {
            "ReplayWorkflow": RpcMethod(replays.replay_workflow, message=ReplayRequest),
            "DownloadWorkflowHistory": RpcMethod(replays.download_history, message=ReplayRequest),
            "ReplayFromJSON": RpcMethod(replays.replay_file, message=ReplayRequest),
            "ReplayWorkflowHistory": RpcMethod(replays.replay_history, message=ReplayedHistory),
            "RecordActivityHeartbeat": RpcMethod(self._heartbeat, Heartbeat),
            "GetActivityNames": RpcMethod(self._activity_names, bool),
            "GetWorkflowNames": RpcMethod(self._workflow_names, bool),
            "UpdateAPIKey": RpcMethod(self._update_api_key, str),
        }

    async def _heartbeat(self, heartbeat: Heartbeat) -> HeartbeatReply:
        try:
            token = base64.b64decode(heartbeat.task_token, validate=True)
            details = Payloads.FromString(base64.b64decode(heartbeat.details, validate=True))
        except (binascii.Error, ValueError, DecodeError) as wrong:
            raise InvalidHeartbeat(wrong) from wrong
        running = self._host.running.get(token)
        if running is None:
            raise NotRunning
        running.engine.heartbeat(token, details.payloads)
        if running.cancellation is None:
            await asyncio.sleep(_CANCELLATION)
        said = running.cancellation
        if said is None:
            return HeartbeatReply(canceled=False, paused=False, reset=False)
        ended = said.is_cancelled or said.is_not_found or said.is_timed_out or said.is_worker_shutdown
        return HeartbeatReply(canceled=ended, paused=said.is_paused, reset=said.is_reset)

    def _activity_names(self, _: bool) -> Sequence[str]:
        return [name for info in self._host.infos for name in info.activities]

    def _workflow_names(self, _: bool) -> Sequence[str]:
        return [workflow.name for info in self._host.infos for workflow in info.workflows]

    def _update_api_key(self, key: str) -> bool:
        if not key:
            raise EmptyKey
        self._host.update_api_key(key)
        return True
