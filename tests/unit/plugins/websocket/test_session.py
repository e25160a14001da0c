"""One client and its workers, with a scripted pool and a fake socket."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise
from typing import Any

from pyroadrunner.httpd.websocket.message import OutMessage
from pyroadrunner.plugins.websocket import events
from pyroadrunner.plugins.websocket.config import HistoryConfig, LimitsConfig, WebSocketConfig
from pyroadrunner.plugins.websocket.counters import Counters
from pyroadrunner.plugins.websocket.drivers.memory import MemoryDriver
from pyroadrunner.plugins.websocket.hub import Hub
from pyroadrunner.plugins.websocket.session import Environment, Session
from pyroadrunner.plugins.websocket.sessions import Sessions
from pyroadrunner.plugins.websocket.topics import Topics
from pyroadrunner.plugins.websocket.tracing import EventTracer
from pyroadrunner.plugins.websocket.turns import Turns
from pyroadrunner.workers.errors import QueueFull, WorkerFailed
from pyroadrunner.workers.payload import Payload, Reply
from support.tracing import KeptTracing
from support.virtual_time import in_virtual_time


class FakeSocket:
    """Records what the session does with its client."""

    dropped = 0
    buffered = 0

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bool]] = []
        self.closes: list[tuple[int, str]] = []
        self.reading = True

    def send(self, message: OutMessage) -> bool:
        self.sent.append((message.data, message.text))
        return not self.closes

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closes.append((code, reason))

    def abort(self) -> None:
        self.closes.append((1006, ""))

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def tick(self, now: float) -> None: ...


class FakePool:
    """Keeps submitted calls until the test answers them."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], bytes, Any]] = []
        self.error: Exception | None = None

    def submit(self, payload: Payload, receiver: Any, *, timeout: float | None = None, priority: int = 0) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append((json.loads(payload.context), bytes(payload.body), receiver))

    def answer(self, context: dict[str, Any] | None = None, body: bytes = b"") -> None:
        _, _, receiver = self.calls.pop(0)
        receiver.on_reply(Reply(json.dumps(context or {}).encode(), body, 0))


class Scene:
    """Sessions that share a hub and a pool."""

    def __init__(self, *, turns: int = 10, limits: LimitsConfig | None = None) -> None:
        self.pool = FakePool()
        loop = asyncio.get_running_loop()
        driver = MemoryDriver(lambda _: HistoryConfig(size=10), loop.time)
        self.hub = Hub(driver)
        driver._deliver = self.hub.deliver
        self.environment = Environment(
            pool=self.pool,  # type: ignore[arg-type]
            hub=self.hub,
            turns=Turns(turns),
            limits=limits or LimitsConfig(),
            events=frozenset({"connect", "message", "close"}),
            topics=Topics([]),
            clock=loop.time,
            sessions={},
            counters=Counters(),
        )

    def connect(self, identity: str = "a", first: events.Reply = events.NOTHING) -> tuple[Session, FakeSocket]:
        session, socket = Session(identity, "192.0.2.1", self.environment), FakeSocket()
        session.begin_with(first, b"")
        session.opened(socket)
        return session, socket


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@in_virtual_time
async def test_events_of_a_client_go_one_at_a_time_with_the_newest_state() -> None:
    it = Scene()
    session, socket = it.connect()
    session.received(b"1", text=True)
    session.received(b"\xff", text=False)
    assert [(call[0]["event"], call[1], call[0]["state"]) for call in it.pool.calls] == [("message", b"1", None)]
    it.pool.answer({"state": {"n": 1}}, b"reply")
    assert socket.sent == [(b"reply", True)]
    context, body, _ = it.pool.calls[0]
    assert (context["state"], context["binary"], body) == ({"n": 1}, True, b"\xff")
    it.pool.answer({"binary": True}, b"\x00")
    assert socket.sent[1] == (b"\x00", False)


@in_virtual_time
async def test_a_reply_joins_publishes_and_closes() -> None:
    it = Scene()
    one, first = it.connect("1", events.Reply(join=["room"], user=7))
    _, second = it.connect("2", events.Reply(join=[events.Join(topic="room", envelope=True)]))
    await settle()
    one.received(b"x", text=True)
    it.pool.answer({"publish": [{"topics": ["room"], "data": "hi", "others": True}], "close": {"code": 4000}})
    await settle()
    assert first.sent == []
    assert json.loads(second.sent[0][0])["data"] == "hi"
    assert first.closes == [(4000, "")]
    assert one.user == "7"


@in_virtual_time
async def test_messages_wait_until_the_reply_to_the_handshake_was_applied() -> None:
    it = Scene()
    session, _ = it.connect(first=events.Reply(join=["room"]))
    session.received(b"early", text=True)
    assert it.pool.calls == []
    await settle()
    assert len(it.pool.calls) == 1
    assert list(session.topics) == ["room"]


@in_virtual_time
async def test_a_client_that_sends_faster_than_workers_work_is_not_read() -> None:
    it = Scene()
    session, socket = it.connect()
    for number in range(40):
        if not socket.reading:
            break
        session.received(b"%d" % number, text=True)
    assert number < 20
    while it.pool.calls:
        it.pool.answer()
    assert socket.reading


@in_virtual_time
async def test_a_failed_event_closes_its_connection_alone() -> None:
    it = Scene()
    bad, socket = it.connect("bad")
    good, other = it.connect("good")
    bad.received(b"x", text=True)
    good.received(b"y", text=True)
    it.pool.calls.pop(0)[2].on_error(WorkerFailed("boom", 1))
    it.pool.answer({}, b"fine")
    assert (socket.closes[0][0], other.closes, other.sent) == (1011, [], [(b"fine", True)])


@in_virtual_time
async def test_an_overload_asks_the_client_to_come_back() -> None:
    it = Scene()
    session, socket = it.connect()
    it.pool.error = QueueFull("websocket", 1)
    session.received(b"x", text=True)
    assert socket.closes == [(1013, "the server is overloaded")]
    assert it.environment.turns.idle


@in_virtual_time
async def test_text_that_is_none_is_not_sent() -> None:
    it = Scene()
    session, socket = it.connect()
    session.received(b"x", text=True)
    it.pool.answer({}, b"\xff")
    assert socket.sent == []
    assert socket.closes[0][0] == 1011


@in_virtual_time
async def test_the_end_leaves_the_topics_and_tells_a_worker_once() -> None:
    it = Scene()
    session, _ = it.connect(first=events.Reply(join=["room"]))
    await settle()
    for _ in range(5):
        session.received(b"x", text=True)
    session.closed(1001, "away")
    session.closed(1006, "")
    await settle()
    assert it.hub.topics == {}
    assert it.environment.sessions == {}
    it.pool.answer()  # the message that a worker has; the others are dropped
    assert [(call[0]["event"], call[0]["code"], call[0]["reason"]) for call in it.pool.calls] == [
        ("close", 1001, "away")
    ]
    it.pool.answer()
    assert it.environment.turns.idle


@in_virtual_time
async def test_all_clients_leaving_at_once_wait_for_their_turn() -> None:
    it = Scene(turns=2)
    sessions = [it.connect(str(number))[0] for number in range(1000)]
    for session in sessions:
        session.closed(1006, "")
    seen = 0
    while it.pool.calls:
        assert len(it.pool.calls) <= 2
        it.pool.answer()
        seen += 1
    assert seen == 1000


@in_virtual_time
async def test_a_client_that_sends_too_much_is_closed() -> None:
    it = Scene(limits=LimitsConfig(messages_per_second=5))
    session, socket = it.connect()
    for _ in range(12):
        session.received(b"x", text=True)
    assert socket.closes[0] == (1008, "too many messages")


@in_virtual_time
async def test_a_client_may_not_follow_everything() -> None:
    it = Scene(limits=LimitsConfig(max_topics=2))
    _, socket = it.connect(first=events.Reply(join=["1", "2", "1", "3"]))
    await settle()
    assert socket.closes[0][0] == 1011
    assert set(it.hub.topics) == {"1", "2"}


@in_virtual_time
async def test_a_client_that_comes_back_gets_what_it_missed_before_what_is_new() -> None:
    it = Scene()
    publication, _ = await it.hub.publish("room", b"1", text=True)
    await it.hub.publish("room", b"2", text=True)
    back = events.Join(topic="room", offset=publication.offset, epoch=publication.epoch)
    _, socket = it.connect(first=events.Reply(join=[back]))
    await settle()
    await it.hub.publish("room", b"3", text=True)
    assert [data for data, _ in socket.sent] == [b"2", b"3"]


class SlowDriver(MemoryDriver):
    """Waits for the test before a client is known to follow a topic."""

    gate: asyncio.Event

    async def follow(self, topic: str) -> None:
        await self.gate.wait()


def slow(scene: Scene) -> asyncio.Event:
    """Make joins wait for the returned event."""
    driver = scene.hub.driver
    assert isinstance(driver, MemoryDriver)
    driver.__class__ = SlowDriver
    gate: asyncio.Event = asyncio.Event()
    driver.gate = gate  # type: ignore[attr-defined]
    return gate


@in_virtual_time
async def test_a_client_that_leaves_while_it_joins_follows_nothing() -> None:
    it = Scene()
    gate = slow(it)
    session, _ = it.connect(first=events.Reply(join=["room"]))
    await settle()
    session.closed(1006, "")
    await settle()
    gate.set()
    await settle()
    assert it.hub.topics == {}
    assert it.environment.tasks == set()


@in_virtual_time
async def test_what_is_published_during_a_return_is_not_lost() -> None:
    it = Scene()
    gate = slow(it)
    old = events.Join(topic="room", offset=7, epoch="of a history that is lost")
    session, socket = it.connect(first=events.Reply(join=[old]))
    await settle()
    await it.hub.publish("room", b"new", text=True)
    gate.set()
    await settle()
    assert [data for data, _ in socket.sent] == [b"new"]
    assert session.closed_at is None


@in_virtual_time
async def test_what_the_history_has_brought_does_not_come_again_from_the_channel() -> None:
    """Redis' channel may be behind its history."""
    it = Scene()
    published = [(await it.hub.publish("room", b"%d" % number, text=True))[0] for number in range(3)]
    back = events.Join(topic="room", offset=1, epoch=published[0].epoch)
    _, socket = it.connect(first=events.Reply(join=[back]))
    await settle()
    for late in published:
        it.hub.deliver(late)
    await it.hub.publish("room", b"3", text=True)
    assert [data for data, _ in socket.sent] == [b"1", b"2", b"3"]


# -- traces ----------------------------------------------------------------------------------------------------------


def traced(it: Scene) -> KeptTracing:
    tracing = KeptTracing()
    it.environment.tracer = EventTracer([tracing], "/ws")
    it.environment.tracer.start()
    return tracing


@in_virtual_time
async def test_each_event_has_a_span_in_the_trace_of_the_handshake() -> None:
    it = Scene()
    tracing = traced(it)
    session, _ = it.connect()
    session.trace = [(b"traceparent", b"of the handshake")]
    session.received(b"four", text=True)
    session.received(b"1", text=True)
    assert len(tracing.spans) == 1  # the next event begins when the first has ended
    assert it.pool.calls[0][0]["headers"] == {"traceparent": ["1"]}
    it.pool.answer({"join": ["room"]})
    await settle()
    it.pool.answer()
    session.closed(4000, "")
    await settle()
    it.pool.answer()
    assert [(span.name, span.ended, span.failed) for span in tracing.spans] == [
        ("message /ws", 1, None),
        ("message /ws", 1, None),
        ("close /ws", 1, None),
    ]
    assert tracing.asked == [[(b"traceparent", b"of the handshake")]] * 3
    assert tracing.spans[0].attributes == {
        "messaging.system": "websocket",
        "messaging.operation.type": "process",
        "messaging.operation.name": "message",
        "messaging.destination.name": "/ws",
        "messaging.message.conversation_id": "a",
        "messaging.message.body.size": 4,
        "client.address": "192.0.2.1",
    }
    assert tracing.spans[2].attributes["websocket.close.code"] == 4000


@in_virtual_time
async def test_the_span_of_an_event_that_fails_says_why() -> None:
    it = Scene()
    tracing = traced(it)
    session, _ = it.connect()
    session.received(b"1", text=True)
    it.pool.calls.pop()[2].on_error(WorkerFailed("boom", 1))
    session.received(b"2", text=True)
    it.pool.answer({"join": [""]})
    await settle()
    it.pool.error = QueueFull("websocket", 1)
    other, _ = it.connect("b")
    other.received(b"3", text=True)
    assert [span.ended for span in tracing.spans] == [1, 1, 1]
    first, second, third = (span.failed or "" for span in tracing.spans)
    assert "boom" in first
    assert "a topic has 1 to 200 characters" in second
    assert "max queue size reached" in third


@in_virtual_time
async def test_without_traces_workers_get_no_headers() -> None:
    it = Scene()
    session, _ = it.connect()
    session.received(b"1", text=True)
    assert "headers" not in it.pool.calls[0][0]


# -- the end of the server -------------------------------------------------------------------------------------------


@in_virtual_time
async def test_connections_are_closed_in_waves_and_get_different_advice() -> None:
    it = Scene()
    sessions = Sessions(WebSocketConfig(), it.environment, Topics([]))
    sockets = [it.connect(str(number))[1] for number in range(100)]
    closed_by_then: list[int] = []

    async def watch() -> None:
        for _ in range(10):
            closed_by_then.append(sum(bool(socket.closes) for socket in sockets))
            await asyncio.sleep(0.2)

    await asyncio.gather(sessions.drain(2.0), watch())
    assert closed_by_then[-1] >= 90
    assert all(5 <= after - before <= 15 for before, after in pairwise(closed_by_then[1:]))
    assert all(len(socket.closes) == 1 for socket in sockets)
    assert {code for socket in sockets for code, _ in socket.closes} == {1012}
    advice = [re.fullmatch(r"the server restarts, retry in (\d+) ms", socket.closes[0][1]) for socket in sockets]
    delays = [int(one[1]) for one in advice if one is not None]
    assert len(delays) == 100
    assert len(set(delays)) > 50
    assert 1 <= min(delays) <= max(delays) <= 2000


@in_virtual_time
async def test_a_busy_server_closes_them_in_the_same_time() -> None:
    loop = asyncio.get_running_loop()
    it = Scene()
    sessions = Sessions(WebSocketConfig(), it.environment, Topics([]))
    sockets = [it.connect(str(number))[1] for number in range(100)]

    async def keep_busy() -> None:
        while True:
            await asyncio.sleep(0.001)
            loop._clock.now += 0.07  # type: ignore[attr-defined]  # a call that takes long: every timer is late

    busy = asyncio.create_task(keep_busy())
    began = loop.time()
    await sessions.drain(2.0)
    busy.cancel()
    assert all(socket.closes for socket in sockets)
    assert loop.time() - began < 2.2
