"""One worker over a fake child, in virtual time: its calls, its streams, its end."""

from __future__ import annotations

import asyncio
import logging
import signal

import pytest

from pyroadrunner.goridge.frame import Flag, Stream, encode, encode_payload
from pyroadrunner.workers.call import Call, LenientCall, ReplyRule
from pyroadrunner.workers.errors import BadReply, ExecTimeout, WorkerCrashed, WorkerFailed
from pyroadrunner.workers.payload import Codec, Payload, Reply, ReplyStream
from pyroadrunner.workers.reply_stream import MAX_UNREAD
from pyroadrunner.workers.state import State
from pyroadrunner.workers.worker import _FENCED_CALLS, Worker
from support.fake_workers import FakeProcess
from support.log import logged
from support.virtual_time import in_virtual_time, turns


class Owner:
    """Records what a worker reports to its pool."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.requeued: list[Call] = []

    def on_free(self, worker: Worker) -> None:
        self.events.append(f"free: {worker.state.label}")

    def requeue(self, worker: Worker, call: Call) -> None:
        self.events.append("requeue")
        self.requeued.append(call)

    def on_failed(self, worker: Worker) -> None:
        self.events.append(f"failed: {worker.state.label}")

    def on_exited(self, worker: Worker) -> None:
        self.events.append(f"exited: {worker.state.label}")


class Case:
    """A worker with an owner."""

    def __init__(self) -> None:
        self.process = FakeProcess(4_200_000)
        self.worker = self.process.worker
        self.child = self.process.child
        self.owner = self.worker.owner = Owner()

    def call(self, body: bytes = b"ping", *, timeout: float | None = None) -> Call:
        """Send it a call."""
        loop = asyncio.get_running_loop()
        call = Call(Payload(b"context", body, Codec.RAW), loop.create_future(), loop.time(), timeout=timeout)
        self.worker.run(call)
        return call

    def lenient(self, rule: ReplyRule = ReplyRule.FIRST, body: bytes = b"ping", timeout: float | None = None) -> Call:
        """Send it a call that may have no reply or several."""
        loop = asyncio.get_running_loop()
        call = LenientCall(Payload(b"context", body, Codec.RAW), loop.create_future(), loop.time(), timeout)
        call.rule = rule
        self.worker.run(call)
        return call

    async def past_its_first_calls(self) -> None:
        """Run the calls that have a fence in any case."""
        for _ in range(_FENCED_CALLS):
            call = self.lenient()
            self.process.answer()
            self.process.wait()
            await call.answer

    async def streaming(self, first: bytes = b"first") -> tuple[Call, ReplyStream]:
        """Send it a call, and begin a streamed reply."""
        call = self.call()
        self.process.stream(first)
        stream = (await call.answer).stream
        assert stream is not None
        return call, stream


async def read(stream: ReplyStream) -> list[bytes]:
    return [chunk.body async for chunk in stream]


# -- replies -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_reply_reaches_its_call_and_frees_the_worker() -> None:
    case = Case()
    call = case.call(b"hello")
    assert case.worker.state is State.WORKING
    assert case.worker.busy
    assert case.worker.runs(call)
    case.process.answer()
    reply = await call.answer
    assert (reply.context, reply.body, reply.codec, reply.stream) == (b"head", b"hello", Codec.RAW, None)
    assert (case.worker.execs, case.worker.answers, case.worker.busy) == (1, 1, False)
    assert case.owner.events == ["free: ready"]


@in_virtual_time
async def test_a_large_body_reaches_the_worker_whole() -> None:
    case = Case()
    call = case.call(b"x" * 1_000_000)
    case.process.answer()
    assert (await call.answer).body == b"x" * 1_000_000


@in_virtual_time
async def test_an_error_frame_keeps_its_bytes() -> None:
    case = Case()
    call = case.call()
    case.process.requests.pop(0)
    case.process.write(encode(Flag.ERROR, b"3|:|no|:|\xff"))
    error = call.answer.exception()
    assert isinstance(error, WorkerFailed)
    assert (error.payload, error.text) == (b"3|:|no|:|\xff", "3|:|no|:|\ufffd")


@in_virtual_time
async def test_an_error_frame_fails_the_call_and_the_worker_takes_the_next() -> None:
    case = Case()
    call = case.call()
    case.process.answer_error("no")
    with pytest.raises(WorkerFailed, match="SoftJobError: no") as caught:
        await call.answer
    assert (caught.value.text, caught.value.pid) == ("no", case.worker.pid)
    assert case.owner.events == ["free: ready"]


@in_virtual_time
async def test_a_call_handed_back_goes_to_the_owner_and_the_worker_takes_no_more() -> None:
    case = Case()
    call = case.call()
    case.process.hand_back()
    assert case.owner.requeued == [call]
    assert not call.answer.done()
    assert (case.worker.cause, case.worker.answers) == (State.INVALID, 0)
    assert case.owner.events == ["requeue", "free: invalid"]


@in_virtual_time
async def test_a_stop_order_with_a_blank_is_an_ordinary_reply() -> None:
    case = Case()
    call = case.call()
    case.process.answer(context=b'{"stop": true}')
    assert (await call.answer).context == b'{"stop": true}'


@in_virtual_time
async def test_the_reply_to_a_cancelled_call_is_dropped_and_the_worker_is_free_again() -> None:
    case = Case()
    old = case.call(b"old")
    old.answer.cancel()
    case.process.answer()
    new = case.call(b"new")
    case.process.answer()
    assert (await new.answer).body == b"new"
    assert case.owner.events == ["free: ready", "free: ready"]


@in_virtual_time
async def test_the_last_of_max_jobs_calls_is_answered_before_the_worker_takes_no_more() -> None:
    case = Case()
    case.worker.max_jobs = 2
    for _ in range(2):
        call = case.call()
        case.process.answer()
        await call.answer
    assert case.owner.events == ["free: ready", "free: maxJobsReached"]


@in_virtual_time
async def test_a_retired_worker_finishes_its_call_and_keeps_the_reason() -> None:
    case = Case()
    call = case.call()
    case.worker.retire(State.TTL_REACHED)
    case.process.answer()
    await call.answer
    assert case.owner.events == ["free: ttlReached"]
    await case.worker.stop()
    assert (case.worker.state, case.worker.cause) == (State.STOPPED, State.TTL_REACHED)


# -- no reply, or several ----------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_reply_is_given_at_once_and_the_worker_is_free_when_it_waits() -> None:
    case = Case()
    call = case.lenient()
    assert case.process.pid_requests == 1
    case.process.answer()
    assert (await call.answer).body == b"ping"
    assert (case.owner.events, case.worker.busy) == ([], True)
    case.process.wait()
    assert (case.owner.events, case.worker.busy) == (["free: ready"], False)


@pytest.mark.parametrize("body", [b"", b"x" * 100_000], ids=["in the frame", "behind it"])
@in_virtual_time
async def test_the_fence_comes_behind_the_body(body: bytes) -> None:
    case = Case()
    call = case.lenient(body=body)
    [request] = case.process.requests
    assert request.payload == b"context" + body
    assert case.process.pid_requests == 1
    case.process.answer()
    case.process.wait()
    await call.answer


@in_virtual_time
async def test_further_replies_are_dropped_with_one_warning() -> None:
    case = Case()
    with logged("server") as log:
        for _ in range(2):
            call = case.lenient()
            case.process.answer(b"first")
            case.process.write(encode_payload(b"", b"second", Flag.RAW))
            case.process.write(encode(Flag.ERROR, b"third"))
            case.process.wait()
            assert (await call.answer).body == b"first"
    assert case.owner.events == ["free: ready", "free: ready"]
    assert log.messages == ["worker sent a second reply to the same request; it is dropped"]
    assert case.child.signals == []


@in_virtual_time
async def test_an_answer_to_the_stop_frame_is_ignored() -> None:
    case = Case()
    call = case.lenient()
    case.process.answer()
    case.process.wait()
    await call.answer
    case.process.stops_on_order = False
    stopping = asyncio.ensure_future(case.worker.stop())
    await turns()
    with logged("server", logging.INFO) as log:
        case.process.write(encode_payload(b"CLOSE", b"", Flag.RAW))
        case.process.exit()
        await stopping
    assert log.messages == []


@in_virtual_time
async def test_a_call_without_a_reply_fails_and_the_worker_stays() -> None:
    case = Case()
    call = case.lenient()
    case.process.requests.clear()
    case.process.wait()
    with pytest.raises(WorkerFailed, match="without a reply"):
        await call.answer
    assert case.owner.events == ["free: ready"]


@in_virtual_time
async def test_a_call_that_needs_no_reply_gets_an_empty_one() -> None:
    case = Case()
    await case.past_its_first_calls()
    case.owner.events.clear()
    call = case.lenient(ReplyRule.OPTIONAL)
    case.worker.expire(call.began + 0.09, 0.0)
    assert case.process.pid_requests == 0
    case.worker.expire(call.began + 0.1, 0.0)
    case.worker.expire(call.began + 0.2, 0.0)
    assert case.process.pid_requests == 1
    case.process.requests.clear()
    case.process.wait()
    reply = await call.answer
    assert (reply.context, reply.body) == (b"", b"")
    assert case.owner.events == ["free: ready"]
    case.lenient()
    assert case.process.pid_requests == 1  # from now on at once


@in_virtual_time
async def test_a_reply_that_is_needed_may_take_its_time() -> None:
    case = Case()
    await case.past_its_first_calls()
    call = case.lenient()
    case.worker.expire(call.began + 50.0, 0.0)
    assert case.process.pid_requests == 0


@in_virtual_time
async def test_later_calls_have_no_fence_until_a_second_reply_was_seen() -> None:
    case = Case()
    await case.past_its_first_calls()
    call = case.lenient()
    assert case.process.pid_requests == 0
    case.process.answer()
    await call.answer
    case.process.write(encode_payload(b"", b"second", Flag.RAW))
    case.lenient()
    assert case.process.pid_requests == 1
    assert case.child.signals == []


@in_virtual_time
async def test_a_frame_that_came_with_a_reply_does_not_answer_the_next_call() -> None:
    class Next(Owner):
        def on_free(self, worker: Worker) -> None:
            super().on_free(worker)
            if len(self.events) == _FENCED_CALLS + 1:
                self.next = case.lenient(body=b"next")

    case = Case()
    case.owner = case.worker.owner = owner = Next()
    await case.past_its_first_calls()
    case.lenient()
    case.process.requests.clear()
    case.process.write(encode_payload(b"", b"first", Flag.RAW) + encode_payload(b"", b"second", Flag.RAW))
    assert not owner.next.answer.done()
    case.process.answer()
    assert (await owner.next.answer).body == b"next"


@in_virtual_time
async def test_a_frame_that_came_with_a_reply_fails_the_next_call_if_one_is_the_rule() -> None:
    class Next(Owner):
        def on_free(self, worker: Worker) -> None:
            self.next = case.call(b"next")

    case = Case()
    case.worker.owner = owner = Next()
    case.call()
    case.process.write(encode_payload(b"", b"first", Flag.RAW) + encode_payload(b"", b"second", Flag.RAW))
    with pytest.raises(BadReply, match="answers no request"):
        await owner.next.answer
    assert case.child.signals == [signal.SIGKILL]


@in_virtual_time
async def test_a_worker_that_never_waits_again_is_killed_after_its_time() -> None:
    case = Case()
    call = case.lenient(timeout=5.0)
    case.process.answer()
    await call.answer
    case.worker.expire(call.began + 4.0, 0.0)
    assert case.child.signals == []
    case.worker.expire(call.began + 5.0, 0.0)
    assert await case.worker.wait_exited(1.0)
    assert case.child.signals == [signal.SIGKILL]


@in_virtual_time
async def test_a_lenient_call_that_was_not_read_goes_to_another_worker() -> None:
    case = Case()
    call = case.lenient()
    case.process.relay.never_read = call.size  # it has read a part: as much as its fence is long
    case.process.exit(1)
    with pytest.raises(WorkerCrashed):
        await call.answer


@in_virtual_time
async def test_a_lenient_call_that_was_handed_back_leaves_no_fence() -> None:
    case = Case()
    call = case.lenient()
    case.process.hand_back()
    assert case.owner.requeued == [call]
    case.process.wait()
    assert case.owner.events == ["requeue", "free: invalid"]
    assert case.child.signals == []


# -- malformed replies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (encode(Flag.RAW, b"body"), "options length should be equal 1"),
        (encode(Flag.RAW, b"body", (1, 2)), "options length should be equal 1"),
        (encode(Flag.RAW, b"body", (5,)), "context of 5 bytes in a frame of 4"),
        (encode(Flag.RAW, b"body", (5,), Stream.STREAM), "context longer than its frame"),
    ],
    ids=["no option", "two options", "long context", "long context of a stream"],
)
@in_virtual_time
async def test_a_malformed_reply_fails_the_call_and_kills_the_worker(wire: bytes, text: str) -> None:
    case = Case()
    call = case.call()
    case.process.write(wire)
    with pytest.raises(BadReply, match=text):
        await call.answer
    assert case.child.signals == [signal.SIGKILL]
    assert case.owner.events == ["failed: errored", "exited: errored"]


@in_virtual_time
async def test_a_frame_without_a_call_kills_the_worker() -> None:
    case = Case()
    with logged("server") as log:
        case.process.write(encode_payload(b"", b"unasked", Flag.RAW))
        assert await case.worker.wait_exited(1.0)
    assert case.child.signals == [signal.SIGKILL]
    [line] = log.of("worker died")
    assert "answers no" in line["error"]


@in_virtual_time
async def test_printed_text_fails_the_call_with_the_text_and_kills_the_worker() -> None:
    case = Case()
    call = case.call()
    case.process.write(b"PHP Warning: something\n")
    with pytest.raises(WorkerCrashed, match="PHP Warning: something") as caught:
        await call.answer
    assert caught.value.garbage == "PHP Warning: something\n"
    assert case.child.signals == [signal.SIGKILL]


@in_virtual_time
async def test_frames_of_a_worker_that_has_failed_are_ignored() -> None:
    case = Case()
    call = case.call()
    case.worker.kill()
    case.process.answer()
    with pytest.raises(WorkerCrashed):
        await call.answer
    assert case.worker.answers == 0


# -- streamed replies --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_empty_frame_of_a_stream_arrives_unless_it_is_the_last() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.stream(b"")
    case.process.stream(b"second")
    case.process.stream(b"", last=True)
    assert [(chunk.body, chunk.last) async for chunk in stream] == [(b"", False), (b"second", False)]
    _, stream = await case.streaming()
    case.process.stream(b"end", last=True)
    assert [(chunk.body, chunk.last) async for chunk in stream] == [(b"end", True)]


@in_virtual_time
async def test_a_stream_brings_its_frames_and_frees_the_worker_with_the_last() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.stream(b"second")
    assert case.worker.busy
    assert case.owner.events == []
    case.process.stream(b"third", last=True)
    assert case.owner.events == ["free: ready"]
    assert await read(stream) == [b"second", b"third"]
    assert case.worker.answers == 1


@in_virtual_time
async def test_a_ping_is_answered_with_a_pong() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.write(encode_payload(b"", b"second", Flag.RAW, Stream.STREAM | Stream.PING))
    assert case.process.stream_orders == [Stream.PONG]
    case.process.stream(b"", last=True)
    assert await read(stream) == [b"second"]


@in_virtual_time
async def test_an_aborted_stream_is_stopped_and_drained_and_its_pings_are_not_answered() -> None:
    case = Case()
    _, stream = await case.streaming()
    await stream.abort()
    assert case.process.stream_orders == [Stream.STOP]
    assert case.worker.busy
    assert not case.worker.awaited
    case.process.write(encode_payload(b"", b"late", Flag.RAW, Stream.STREAM | Stream.PING))
    case.process.stream(b"", last=True)
    assert case.owner.events == ["free: ready"]
    assert case.process.stream_orders == [Stream.STOP]
    await asyncio.sleep(case.worker.stream_timeout * 2)
    assert case.worker.state is State.READY  # the end of the stream cancelled the timeout


@in_virtual_time
async def test_a_stream_whose_caller_was_cancelled_is_stopped_at_its_first_frame() -> None:
    case = Case()
    call = case.call()
    call.answer.cancel()
    case.process.stream(b"first")
    assert case.process.stream_orders == [Stream.STOP]
    case.process.stream(b"", last=True)
    assert case.owner.events == ["free: ready"]


@in_virtual_time
async def test_a_stream_that_does_not_end_after_stop_is_killed_after_stream_timeout() -> None:
    case = Case()
    case.worker.stream_timeout = 3.0
    _, stream = await case.streaming()
    await stream.abort()
    await asyncio.sleep(2.9)
    assert case.child.signals == []
    await asyncio.sleep(0.2)
    assert case.child.signals == [signal.SIGKILL]
    assert await case.worker.wait_exited(1.0)


@in_virtual_time
async def test_an_error_frame_in_mid_stream_reaches_the_reader_and_the_worker_takes_no_more() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.write(encode(Flag.ERROR, b"broke"))
    with pytest.raises(WorkerFailed, match="broke"):
        await read(stream)
    assert case.owner.events == ["free: invalid"]


@in_virtual_time
async def test_a_crash_in_mid_stream_reaches_the_reader_after_the_frames_before_it() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.stream(b"second")
    case.process.exit(7)
    assert (await anext(aiter(stream))).body == b"second"
    with pytest.raises(WorkerCrashed) as caught:
        await read(stream)
    assert caught.value.exit_status == 7


@in_virtual_time
async def test_a_malformed_frame_in_mid_stream_kills_the_worker() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.write(encode(Flag.RAW, b"body", (5,), Stream.STREAM))
    with pytest.raises(BadReply):
        await read(stream)
    assert case.child.signals == [signal.SIGKILL]


@in_virtual_time
async def test_a_slow_reader_pauses_the_worker() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.stream(b"x" * MAX_UNREAD)
    assert case.process.blocked
    await anext(aiter(stream))
    assert not case.process.blocked


@in_virtual_time
async def test_a_slow_reader_of_an_ended_stream_does_not_resume_the_next_one() -> None:
    case = Case()
    _, old = await case.streaming()
    case.process.stream(b"x" * MAX_UNREAD, last=True)
    assert not case.process.blocked
    _, new = await case.streaming()
    case.process.stream(b"y" * MAX_UNREAD)
    assert case.process.blocked
    await read(old)
    assert case.process.blocked  # until its own reader has read
    await anext(aiter(new))
    assert not case.process.blocked


# -- exec_ttl ----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_call_past_exec_ttl_fails_and_its_worker_is_killed() -> None:
    case = Case()
    call = case.call()
    loop = asyncio.get_running_loop()
    case.worker.expire(loop.time() + 1.9, 2.0)
    assert not call.answer.done()
    with logged("server") as log:
        case.worker.expire(loop.time() + 2.0, 2.0)
        with pytest.raises(ExecTimeout):
            await call.answer
        assert await case.worker.wait_exited(1.0)
    assert case.owner.events == ["failed: execTTLReached", "exited: execTTLReached"]
    assert [text for text in log.messages if "exec_ttl" in text]
    assert not log.of("worker died")


@in_virtual_time
async def test_the_timeout_of_a_call_replaces_exec_ttl() -> None:
    case = Case()
    call = case.call(timeout=5.0)
    case.worker.expire(call.began + 4.0, 2.0)
    assert not call.answer.done()
    case.worker.expire(call.began + 5.0, 0.0)
    assert call.answer.done()


@in_virtual_time
async def test_exec_ttl_counts_again_from_each_frame_of_a_stream() -> None:
    case = Case()
    _call, stream = await case.streaming()
    for _ in range(3):
        await asyncio.sleep(1.5)
        case.worker.expire(asyncio.get_running_loop().time(), 2.0)
        case.process.stream(b"more")
    await asyncio.sleep(2.0)
    case.worker.expire(asyncio.get_running_loop().time(), 2.0)
    with pytest.raises(ExecTimeout):
        await read(stream)


@in_virtual_time
async def test_time_in_which_a_slow_reader_pauses_the_worker_does_not_count_for_exec_ttl() -> None:
    case = Case()
    _, stream = await case.streaming()
    case.process.stream(b"x" * MAX_UNREAD)
    await asyncio.sleep(60)
    case.worker.expire(asyncio.get_running_loop().time(), 2.0)
    await anext(aiter(stream))
    case.worker.expire(asyncio.get_running_loop().time(), 2.0)
    assert case.worker.state is State.WORKING
    await asyncio.sleep(2.0)
    case.worker.expire(asyncio.get_running_loop().time(), 2.0)
    assert case.worker.state is State.EXEC_TTL_REACHED


@in_virtual_time
async def test_an_idle_worker_does_not_expire() -> None:
    case = Case()
    case.worker.expire(asyncio.get_running_loop().time() + 1000.0, 1.0)
    assert case.worker.state is State.READY


# -- the end -----------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_worker_that_obeys_the_stop_frame_gets_no_signal() -> None:
    case = Case()
    await case.worker.stop()
    assert (case.child.signals, case.worker.exit_status) == ([], 0)
    assert (case.worker.state, case.worker.cause, case.worker.exited) == (State.STOPPED, State.STOPPING, True)
    assert case.owner.events == ["exited: stopped"]


@pytest.mark.parametrize(
    ("deaf", "seconds", "signals"),
    [(False, 10.0, [signal.SIGTERM]), (True, 11.0, [signal.SIGTERM, signal.SIGKILL])],
    ids=["ends at SIGTERM", "ignores SIGTERM"],
)
@in_virtual_time
async def test_a_worker_that_ignores_the_stop_frame_gets_sigterm_then_sigkill(
    deaf: bool, seconds: float, signals: list[signal.Signals]
) -> None:
    case = Case()
    case.process.stops_on_order, case.child.deaf = False, deaf
    loop = asyncio.get_running_loop()
    began = loop.time()
    await case.worker.stop(10.0)
    assert loop.time() - began == pytest.approx(seconds)
    assert case.child.signals == signals
    assert case.worker.exit_status == -signals[-1]


@in_virtual_time
async def test_a_call_that_runs_fails_when_its_worker_is_stopped() -> None:
    case = Case()
    case.process.stops_on_order = False
    call = case.call()
    await case.worker.stop(0.0)
    with pytest.raises(WorkerCrashed, match="stopped"):
        await call.answer


@in_virtual_time
async def test_a_reply_that_comes_while_the_worker_stops_reaches_its_call() -> None:
    case = Case()
    case.process.stops_on_order = False
    call = case.call()
    stopping = asyncio.create_task(case.worker.stop(5.0))
    await asyncio.sleep(1)
    case.process.answer()
    assert (await call.answer).body == b"ping"
    case.process.exit(0)
    await stopping
    assert case.worker.state is State.STOPPED


@in_virtual_time
async def test_stop_may_be_called_twice_and_cancelled() -> None:
    case = Case()
    case.process.stops_on_order = False
    first, second = asyncio.create_task(case.worker.stop(5.0)), asyncio.create_task(case.worker.stop(5.0))
    await turns()
    first.cancel()
    await second
    assert case.child.signals == [signal.SIGTERM]
    assert case.owner.events == ["exited: stopped"]


@in_virtual_time
async def test_a_call_that_the_worker_never_read_is_requeued_when_it_exits() -> None:
    case = Case()
    call = case.call()
    case.process.relay.never_read = call.size
    case.process.exit(0)
    assert await case.worker.wait_exited(1.0)
    assert case.owner.requeued == [call]
    assert not call.answer.done()


@in_virtual_time
async def test_a_call_of_which_the_worker_read_a_part_fails_when_it_exits() -> None:
    case = Case()
    call = case.call()
    case.process.relay.never_read = call.size - 1
    case.process.exit(0)
    with pytest.raises(WorkerCrashed):
        await call.answer
    assert case.owner.requeued == []


@in_virtual_time
async def test_an_idle_worker_that_exits_has_failed_and_keeps_its_status() -> None:
    case = Case()
    case.process.exit(3)
    assert await case.worker.wait_exited(1.0)
    assert (case.worker.exit_status, case.worker.cause) == (3, State.ERRORED)
    assert case.owner.events == ["failed: errored", "exited: errored"]


@in_virtual_time
async def test_a_worker_has_exited_even_if_a_process_that_it_started_holds_its_relay_open() -> None:
    case = Case()
    call = case.call()
    case.child.on_exit = lambda: None  # neither stdout nor stderr is closed
    case.child.end(1)
    with pytest.raises(WorkerCrashed):
        await call.answer
    assert await case.worker.wait_exited(1.0)


@in_virtual_time
async def test_a_killed_worker_fails_its_call_and_logs_nothing_more() -> None:
    case = Case()
    call = case.call()
    with logged("server") as log:
        case.worker.kill()
        case.worker.kill()
        with pytest.raises(WorkerCrashed):
            await call.answer
    assert case.child.signals == [signal.SIGKILL]
    assert not log.of("worker died")
    assert case.owner.events == ["failed: errored", "exited: errored"]


@in_virtual_time
async def test_wait_exited_returns_after_its_timeout() -> None:
    case = Case()
    assert not await case.worker.wait_exited(2.0)
    case.process.exit(0)
    assert await case.worker.wait_exited(None)


# -- its current call --------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_info_shows_the_call_that_runs() -> None:
    case = Case()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Reply] = loop.create_future()
    case.worker.run(Call(Payload(b"context"), answer, loop.time(), describe=lambda: "GET /slow"))
    info = case.worker.info("http")
    assert (info.pool, info.activity, info.status_str, info.num_execs) == ("http", "GET /slow", "working", 1)
    assert info.activity_since > 0
    case.process.answer(b"done")
    assert (case.worker.info("http").activity, case.worker.info("http").activity_since) == ("", 0)
