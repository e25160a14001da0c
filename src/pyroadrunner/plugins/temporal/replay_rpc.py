"""The RPC methods about histories. Their outcome is a status in the reply, never an error of the call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from temporalio.api.history.v1 import History
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
)

from pyroadrunner.contracts import Log
from pyroadrunner.plugins.temporal.core import RPCError
from pyroadrunner.plugins.temporal.host import Host
from pyroadrunner.plugins.temporal.replay import replay, up_to, workflow_type_of
from pyroadrunner.proto.temporal.v1.protocol_pb2 import History as ReplayedHistory
from pyroadrunner.proto.temporal.v1.protocol_pb2 import ReplayRequest, ReplayResponse

log = Log("temporal")

OK, INVALID, REFUSED, INTERNAL = 0, 3, 9, 13  # of gRPC
_FETCH = 60.0  # seconds


class _Status(Exception):
    """A status that is not OK."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class ReplayRpc:
    """The methods.

    Args:
        host: with the connection and the workflow worker.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    async def replay_workflow(self, request: ReplayRequest) -> ReplayResponse:
        """Fetch the history of a run and replay it."""
        return await _answered(self._replay_workflow(request))

    async def download_history(self, request: ReplayRequest) -> ReplayResponse:
        """Save the history of a run as JSON."""
        return await _answered(self._download(request))

    async def replay_file(self, request: ReplayRequest) -> ReplayResponse:
        """Replay a saved history."""
        return await _answered(self._replay_file(request))

    async def replay_history(self, request: ReplayedHistory) -> ReplayResponse:
        """Replay the history in the request."""
        return await _answered(self._replay_history(request))

    async def _replay_workflow(self, request: ReplayRequest) -> None:
        _check(request)
        await self._replay(request.workflow_type.name, await self._fetch(request))

    async def _download(self, request: ReplayRequest) -> None:
        _check(request)
        if not request.save_path:
            raise _Status(INVALID, "save_path should not be empty")
        text = MessageToJson(await self._fetch(request))
        try:
            await asyncio.to_thread(Path(request.save_path).write_text, text, "utf-8")
        except OSError as error:
            raise _Status(INTERNAL, str(error)) from error
        log.debug("history saved", location=request.save_path)

    async def _replay_file(self, request: ReplayRequest) -> None:
        if not request.workflow_type.name or not request.save_path:
            raise _Status(INVALID, "workflow_name and save_path should not be empty")
        try:
            history = await asyncio.to_thread(_read, request.save_path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _Status(REFUSED, f"{type(error).__name__}: {error}") from error
        await self._replay(request.workflow_type.name, up_to(history, request.last_event_id))

    async def _replay_history(self, request: ReplayedHistory) -> None:
        if not request.HasField("history") or not request.workflow_type.name:
            raise _Status(REFUSED, "workflow_name and/or history should not be empty")
        history = History()
        history.ParseFromString(request.history.SerializeToString())
        await self._replay(request.workflow_type.name, history)

    async def _replay(self, name: str, history: History) -> None:
        kind = workflow_type_of(history)
        if not kind:
            raise _Status(REFUSED, "the history does not begin with the start of a workflow")
        if kind != name:
            raise _Status(REFUSED, f"the history is that of the workflow type {kind}, not {name}")
        info = next((info for info in self._host.infos if name in info.behaviors()), None)
        runtime = self._host.runtime
        if info is None or runtime is None:
            raise _Status(REFUSED, f"unable to find workflow type: {name}")
        error = await replay(runtime, self._host.rules(info), self._host.worker, history)
        if error:
            raise _Status(REFUSED, error)

    async def _fetch(self, request: ReplayRequest) -> History:
        client = self._host.client
        if client is None:
            raise _Status(INTERNAL, f"not connected to Temporal: {self._host.error}")
        history = History()
        page = GetWorkflowExecutionHistoryRequest(namespace=self._host.namespace)
        page.execution.workflow_id = request.workflow_execution.workflow_id
        page.execution.run_id = request.workflow_execution.run_id
        try:
            async with asyncio.timeout(_FETCH):
                while True:
                    response = await client.call(
                        "get_workflow_execution_history", page, GetWorkflowExecutionHistoryResponse, timeout=_FETCH
                    )
                    history.events.extend(response.history.events)
                    if not response.next_page_token:
                        return history
                    page.next_page_token = response.next_page_token
        except (RPCError, RuntimeError, TimeoutError) as error:
            message = error.args[1] if isinstance(error, RPCError) and len(error.args) > 1 else str(error)
            raise _Status(INTERNAL, str(message) or f"no answer in {_FETCH:g} s") from error


def _check(request: ReplayRequest) -> None:
    execution = request.workflow_execution
    if not execution.run_id or not execution.workflow_id or not request.workflow_type.name:
        raise _Status(INVALID, "run_id, workflow_id or workflow_name should not be empty")


def _read(path: str) -> History:
    from temporalio.client import WorkflowHistory  # knows the forms of all tools that write histories

    text = Path(path).read_text("utf-8")
    return History(events=WorkflowHistory.from_json("replayed", text).events)


async def _answered(work: Awaitable[None]) -> ReplayResponse:
    response = ReplayResponse()
    response.status.code = OK
    try:
        await work
    except _Status as status:
        response.status.code = status.code
        response.status.message = str(status)
        log.error("replay failed", error=str(status))
    return response
