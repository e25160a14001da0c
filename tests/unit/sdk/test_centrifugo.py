"""Calls of Centrifugo in a Python worker, and the messages of its API."""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest

from pyroadrunner.goridge.frame import Flag, Frame, encode_payload
from pyroadrunner.goridge.reader import FrameReader
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.sdk.centrifugo import Call, CentrifugoError, CentrifugoWorker, Handlers, messages
from pyroadrunner.sdk.centrifugo.worker import Answered
from pyroadrunner.sdk.worker import Worker


class ScriptedRelay:
    """Gives calls, keeps replies."""

    pings = False

    def __init__(self, *calls: tuple[str, bytes]) -> None:
        self._frames = deque(
            FrameReader().feed(encode_payload(json.dumps({"type": [kind]}).encode(), body, Flag.PROTO))[0]
            for kind, body in calls
        )
        self.replies: list[Frame] = []

    def receive(self) -> Frame | None:
        return self._frames.popleft() if self._frames else None

    def send(self, data: bytes) -> None:
        self.replies += FrameReader().feed(data)

    def readable(self) -> bool:
        return False


def answers(handlers: Handlers, *calls: tuple[str, bytes]) -> list[Frame]:
    relay = ScriptedRelay(*calls)
    CentrifugoWorker(Worker(relay)).run(handlers)  # type: ignore[arg-type]
    return relay.replies


def test_a_result_of_plain_data() -> None:
    handlers = Handlers()

    @handlers.on("connect")
    def connect(call: Call) -> dict[str, Any]:
        assert call.data == {"a": 1}
        assert call.header("Type") == "connect"
        return {
            "user": call.request.client,
            "expire_at": datetime.fromtimestamp(5, UTC),
            "info": [1],
            "data": b"raw",
            "channels": ("a", "b"),
            "subs": {"s": {"override": {"presence": False}}},
            "caps": [{"channels": ["c"]}],
            "labels": {"k": "v"},
            "meta": None,
        }

    (reply,) = answers(handlers, ("connect", pb.ConnectRequest(client="c", data=b'{"a":1}').SerializeToString()))
    result = pb.ConnectResponse.FromString(reply.payload).result
    assert result == pb.ConnectResult(
        user="c",
        expire_at=5,
        info=b"[1]",
        data=b"raw",
        channels=["a", "b"],
        subs={"s": pb.SubscribeOptions(override=pb.Override(presence=pb.Switch()))},
        caps=[pb.Capability(channels=["c"])],
        labels={"k": "v"},
    )
    assert result.subs["s"].override.HasField("presence")


def test_an_empty_result_is_a_result() -> None:
    handlers = Handlers()

    @handlers.on("subscribe")
    async def subscribe(call: Call) -> None:
        assert call.data is None

    (reply,) = answers(handlers, ("subscribe", b""))
    assert pb.SubscribeResponse.FromString(reply.payload).HasField("result")


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("publish", b"", "no handler for the call publish; there are connect, rpc"),
        ("nothing", b"", "cannot read the call: the type 'nothing' is unknown"),
        ("connect", b"\xff", "cannot read the call: "),
        ("rpc", b"", "ValueError: a RPCResult has no field user; there are data, b64data"),
        ("connect", b"", "ZeroDivisionError: "),
    ],
)
def test_calls_that_fail(kind: str, body: bytes, text: str) -> None:
    handlers = Handlers()

    @handlers.on("rpc")
    def rpc(call: Call) -> dict[str, Any]:
        return {"user": "u"}

    @handlers.on("connect")
    def connect(call: Call) -> dict[str, Any]:
        return {"user": str(1 // 0)}

    (reply,) = answers(handlers, (kind, body))
    assert reply.flags & Flag.ERROR
    assert reply.payload.decode().startswith(text)


def test_a_second_answer_is_a_mistake(capfd: pytest.CaptureFixture[str]) -> None:
    handlers = Handlers()

    @handlers.on("rpc")
    def rpc(call: Call) -> None:
        call.error(404, "none")
        with pytest.raises(Answered):
            call.disconnect(4000, "bye")
        call.respond()

    (reply,) = answers(handlers, ("rpc", b""))
    assert pb.RPCResponse.FromString(reply.payload).error.code == 404
    assert "is answered already" in capfd.readouterr().err


def test_requests_and_results_of_the_api() -> None:
    assert messages.request(
        {"channel": "c", "data": {"é": 1}, "params": b"\xff", "tags": {"data": "x"}, "info": None}
    ) == {
        "channel": "c",
        "data": "eyLDqSI6MX0=",
        "params": "/w==",
        "tags": {"data": "x"},
    }
    assert messages.request({"expire_at": datetime.fromtimestamp(5, UTC)}) == {"expire_at": 5}
    assert messages.result({"result": {"publications": [{"data": "eA==", "tags": {"data": "eA=="}}], "offset": 1}}) == {
        "publications": [{"data": b"x", "tags": {"data": "eA=="}}],
        "offset": 1,
    }
    assert messages.result(None) == {}
    with pytest.raises(CentrifugoError, match=r"^bad request \(code 107\)$"):
        messages.result({"error": {"code": 107, "message": "bad request"}})
