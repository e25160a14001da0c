"""A call's way to a pool and back: statuses, figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pyroadrunner.contracts import NoFreeWorker, OnCancel, Payload, PoolClosed, QueueFull, WorkerCrashed, WorkerFailed
from pyroadrunner.plugins.centrifuge.figures import Figures
from pyroadrunner.plugins.centrifuge.metrics import call_metrics
from pyroadrunner.plugins.centrifuge.proxy import Proxy
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.workers.payload import Reply
from support.grpc import answer_of
from support.unused_pool import UnusedPool

PATH = "/centrifugal.centrifugo.proxy.CentrifugoProxy/"


class OneReply(UnusedPool):
    """Answers all calls with one reply, or fails."""

    def __init__(self, outcome: bytes | Exception) -> None:
        self.payloads: list[Payload] = []
        self.described = ""
        self._outcome = outcome

    async def exec(
        self,
        payload: Payload,
        *,
        timeout: float | None = None,
        on_cancel: OnCancel = OnCancel.FINISH,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
    ) -> Reply:
        self.payloads.append(payload)
        self.described = describe() if describe is not None else ""
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return Reply(b"", self._outcome, 0)


def call(outcome: bytes | Exception, path: str = "RPC", message: bytes = b"") -> tuple[int, str, bytes | None, Figures]:
    """The status, its text, and the message of the answer."""

    async def main() -> tuple[int, str, bytes | None, Figures]:
        figures = Figures()
        pool = OneReply(outcome)
        code, text, answer = await answer_of(Proxy(lambda: pool, "subrefresh", figures).app, PATH + path, message)
        return code, text, answer, figures

    return asyncio.run(main())


def test_the_answer_is_counted_by_type() -> None:
    answer = pb.RPCResponse(result=pb.RPCResult(data=b"1")).SerializeToString()
    code, _, body, figures = call(answer)
    assert (code, body) == (0, answer)
    assert figures.proxied == {("rpc", "OK"): 1}
    family = call_metrics(figures)[0]
    assert [(one.labels, one.value) for one in family.samples] == [({"type": "rpc", "status": "OK"}, 1)]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (QueueFull("p", 1), 8, "static_pool_exec: QueueSize: max queue size reached"),
        (NoFreeWorker("p", 1.0), 8, "static_pool_exec: NoFreeWorkers:"),
        (PoolClosed("p"), 14, "static_pool_exec: Workers watcher stopped:"),
        (WorkerFailed("it rains", 7), 2, "sync_worker_receive_frame: SoftJobError: it rains"),
        (WorkerCrashed(7, "EOF", 9, "", ""), 2, "sync_worker_receive_frame: Network: EOF"),
    ],
)
def test_errors_have_a_status(error: Exception, code: int, text: str) -> None:
    found, said, _, figures = call(error)
    assert (found, said[: len(text)]) == (code, text)
    assert figures.proxied.total() == 1


def test_what_no_worker_sees() -> None:
    assert call(b"", "RPC", b"\xff")[:2] == (
        13,
        "grpc: error unmarshalling request: proto: cannot parse invalid wire-format data",
    )
    assert call(b"", "Nothing")[0] == 12
    assert call(b"", "SubscribeUnidirectional")[:2] == (2, "not supported")


def test_the_description_names_the_method() -> None:
    async def main() -> str:
        pool = OneReply(b"")
        await answer_of(Proxy(lambda: pool, "subrefresh", Figures()).app, PATH + "Publish", b"")
        return pool.described

    assert asyncio.run(main()) == "Centrifugo Publish"
