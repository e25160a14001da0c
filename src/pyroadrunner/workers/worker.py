"""One worker: a child that has said hello, the call that it runs, and its end.

Theory of operation. A worker runs one call at a time. Its state changes here, in the callback that sees the frame or
the end of the relay, and nowhere else; the caller learns of it later. A call leaves the worker in one of four ways,
each of which empties ``_call`` first:

- answered: the future of the call gets the reply. If the caller was cancelled, the reply is read to its end and
  dropped, so the next call never gets it;
- handed back: the worker answers ``{"stop":true}``, or exits before it has read a byte of the call: the pool gives the
  call to another worker;
- failed softly: the worker answers with an error frame and keeps running;
- failed hard: garbage, a closed relay, ``exec_ttl``: the worker is killed, and the error says how it ended
  (``crash.py``).

No frame says which call it answers. A frame that arrives together with a reply was sent before the next call. For a
call that may have no reply or several (``ReplyRule``), the worker is also asked for its pid, behind the call: it
answers that when it waits for the next call, so what it sends until then belongs to this one (a fence).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from functools import cache
from typing import Protocol

from pyroadrunner.goridge.errors import FrameError, RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.frame import PONG, STOP_STREAM, STOP_WORKER, Flag, Frame, Stream
from pyroadrunner.goridge.handshake import hello_request
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.log import Log
from pyroadrunner.workers.call import Call, ReplyRule
from pyroadrunner.workers.child_process import Child
from pyroadrunner.workers.crash import OUTPUT_TIMEOUT, collect_crash
from pyroadrunner.workers.errors import ExecTimeout, WorkerCrashed, WorkerFailed, describe_exit
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.output import OutputReader
from pyroadrunner.workers.payload import Reply
from pyroadrunner.workers.reply_stream import WorkerStream, read_chunk
from pyroadrunner.workers.state import State, transition
from pyroadrunner.workers.usage import cpu_seconds_of, memory_of

STOP_TIMEOUT = 10.0  # seconds a worker has to exit after the stop frame: RoadRunner's constant
_TERM_TIMEOUT = 1.0  # seconds between SIGTERM and SIGKILL
_HAND_BACK = b'{"stop":true}'  # exactly these bytes, as in RoadRunner; `{"stop": true}` is an ordinary reply
_ERROR = int(Flag.ERROR)  # plain ints: IntFlag operators cost microseconds
_CODEC_BITS = int(Flag.RAW | Flag.JSON | Flag.MSGPACK | Flag.GOB | Flag.PROTO)
_MORE_FRAMES = int(Stream.STREAM)
_PING = int(Stream.PING)
_CONTROL = int(Flag.CONTROL)
_FENCED_CALLS = 16  # first calls of a worker with a fence: most applications that answer twice do so from the start
_LATE_FENCE = 0.1  # seconds that a call without a fence, which needs no reply, waits for one
_NO_REPLY = "the worker waits for its next request without a reply to this one"

log = Log("server")


class WorkerOwner(Protocol):
    """The pool that a worker belongs to."""

    def on_free(self, worker: Worker) -> None:
        """The worker has no call. It is READY for the next one, or in a state that says why it must stop."""

    def requeue(self, worker: Worker, call: Call) -> None:
        """The worker did not run this call: run it on another one."""

    def on_failed(self, worker: Worker) -> None:
        """The worker failed and takes no more calls; its process may still run."""

    def on_exited(self, worker: Worker) -> None:
        """The process of the worker has ended."""


class WorkerLease(Protocol):
    """The lease that holds a worker."""

    def end(self, reason: str) -> None:
        """The worker takes no more calls."""


class Worker:
    """A child that answers calls.

    Attributes:
        state: see ``state.py``.
        execs: calls it was given so far.
        answers: calls it has answered so far; a streamed reply counts from its first frame.
        failures: calls that it has answered with an error, or not to the end.
        max_jobs: calls after which it is replaced; 0 = never.
        stream_timeout: seconds it has to end a stream after STOP.
        started: when it was started, seconds of the loop's clock.
        free_since: when it ended its last call; ``None`` while one runs and before the first.
        lease: the lease that holds it; ``None`` = it takes any call.
        cause: the first state in which it took no more calls; ``None`` = it still takes them.
    """

    def __init__(self, child: Child, relay: Relay, stderr: OutputReader, *, started: float, pool: str = "") -> None:
        self.pid = child.pid
        self.state = State.READY
        self.execs = 0
        self.answers = 0
        self.failures = 0
        self.max_jobs = 0
        self.stream_timeout = 60.0
        self.started = started
        self.free_since: float | None = None
        self.owner: WorkerOwner | None = None
        self.lease: WorkerLease | None = None
        self.cause: State | None = None
        self.created_ns = time.time_ns()
        self._pool = pool
        self._child = child
        self._relay = relay
        self._stderr = stderr
        self._loop = asyncio.get_running_loop()
        self._call: Call | None = None  # until the first frame of its reply
        self._stream: WorkerStream | None = None  # until the last frame
        self._fence: Call | None = None  # a call with a fence that the worker has not reached
        self._fences = 0  # requests for its pid that it has not answered
        self._rule = ReplyRule.ONE  # of the last call
        self._surplus = 0  # frames that were dropped
        self._fenced = False  # whether it has ever sent no reply, or two: all its calls have a fence then
        self._sent_in = -1  # the chunk of the relay during which the last call was sent
        self._abort_timer: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._exited: asyncio.Future[None] = self._loop.create_future()
        relay.on_frame = self._on_frame
        relay.on_lost = self._on_lost
        child.exited.add_done_callback(lambda _: self._loop.call_later(OUTPUT_TIMEOUT, self._on_process_exit))

    def __repr__(self) -> str:
        return f"Worker(pid={self.pid}, {self.state.label}, execs={self.execs})"

    # -- calls ---------------------------------------------------------------------------------------------------------

    def run(self, call: Call) -> None:
        """Send it a call; it must be READY."""
        self.state = transition(self.state, State.WORKING)
        self.free_since = None
        self.execs += 1
        call.attempts += 1
        call.began = self._loop.time()
        self._call = call
        relay = self._relay
        self._sent_in = relay.chunks
        if not self._stderr.quiet:
            self._stderr.mark()
        self._rule = rule = call.rule
        if rule is not ReplyRule.ONE and (self._fenced or self.execs <= _FENCED_CALLS):
            self._send_fenced(call)
            return
        relay.send(call.frame)
        if call.body:
            relay.send(call.body)

    def _send_fenced(self, call: Call) -> None:
        if call.body:
            self._relay.send(call.frame)
            self._relay.send(call.body)
            self._send_fence(call)
        else:
            self._send_fence(call, call.frame)

    def _send_fence(self, call: Call, before: bytes = b"") -> None:
        self._fence = call
        self._fences += 1
        self._relay.send(before + _fence())

    def _on_frame(self, frame: Frame) -> None:
        call = self._call
        options = frame.options
        if call is not None and self._sent_in == self._relay.chunks:
            self._on_surplus(frame)
            return
        if call is None or frame.stream or frame.flags & _ERROR or len(options) != 1:
            self._on_rare_frame(frame)
            return
        size = options[0]
        payload = frame.payload
        if size > len(payload):
            self._on_protocol_error(f"bad payload: context of {size} bytes in a frame of {len(payload)}")
            return
        if payload == _HAND_BACK and size == len(_HAND_BACK):
            self._on_handed_back(call)
            return
        self._call = None
        self.answers += 1
        self._finish()
        call.succeed(Reply(payload[:size], payload[size:], frame.flags & _CODEC_BITS))

    def _on_rare_frame(self, frame: Frame) -> None:
        if self._fences and frame.flags & _CONTROL:
            self._on_fence()
        elif self._stream is not None:
            self._on_stream_frame(self._stream, frame)
        elif self._call is None:
            self._on_surplus(frame)
        elif frame.flags & _ERROR:
            call, self._call = self._call, None
            text = frame.payload.decode(errors="replace")
            self.answers += 1
            self.failures += 1
            self._finish()
            call.fail(WorkerFailed(text, self.pid, frame.payload))
        elif len(frame.options) != 1:
            self._on_protocol_error("Decode: options length should be equal 1 (body offset)")
        else:
            self._open_stream(self._call, frame)

    def _on_surplus(self, frame: Frame) -> None:
        """A frame that answers no call. After the stop frame it is ignored: ``spiral/roadrunner-tcp`` answers that."""
        if self.state is State.STOPPING:
            return
        if self._rule is ReplyRule.ONE:
            self._on_protocol_error("a frame that answers no request")
            return
        self._fenced = True
        self._surplus += 1
        if self._surplus == 1:
            fields: dict[str, object] = {"pool": self._pool, "pid": self.pid}
            if frame.flags & _ERROR:
                fields["error"] = frame.payload.decode(errors="replace")
            log.warning("worker sent a second reply to the same request; it is dropped", **fields)

    def _on_fence(self) -> None:
        """The worker waits for its next call."""
        self._fences -= 1
        call, self._fence = self._fence, None
        if call is None:  # it has handed its call back
            return
        if self._stream is not None:
            self._close_stream(WorkerFailed("the worker did not end its streamed reply", self.pid))
        elif self._call is not call:
            self._finish()
        else:
            self._call = None
            self.answers += 1
            self._finish()
            if call.rule is ReplyRule.OPTIONAL:
                self._fenced = True
                call.succeed(Reply(b"", b"", 0))
            else:
                self.failures += 1
                call.fail(WorkerFailed(_NO_REPLY, self.pid))

    def _finish(self) -> None:
        """The reply is complete: take the next call, or stop after the last one allowed. With a fence, that waits."""
        if self._fence is not None:
            return
        self.free_since = self._loop.time()
        if self.state is State.WORKING:
            if self.max_jobs and self.execs >= self.max_jobs:
                self._leave_service(State.MAX_JOBS_REACHED)
            else:
                self.state = transition(self.state, State.READY)
        if self.owner is not None:
            self.owner.on_free(self)

    def _on_handed_back(self, call: Call) -> None:
        self._call = self._fence = None
        if self.state is State.WORKING:
            self._leave_service(State.INVALID)
        if self.owner is not None:
            self.owner.requeue(self, call)
        self._finish()

    def expire(self, now: float, exec_ttl: float) -> None:
        """Kill it if its call has exceeded its time; in a streamed reply, each frame has that time.

        A call that needs no reply, and has none yet, gets a fence.

        Args:
            exec_ttl: seconds, for calls without a timeout of their own; 0 = no limit.
        """
        call = self.current_call
        if call is None or self._ending is not None or (self._stream is not None and self._stream.paused):
            return
        waits = call.rule is ReplyRule.OPTIONAL and call is self._call and self._fence is None
        if waits and now - call.began >= _LATE_FENCE:
            self._send_fence(call)
        limit = exec_ttl if call.timeout is None else call.timeout
        if not limit or now - call.began < limit:
            return
        self._leave_service(State.EXEC_TTL_REACHED)
        fields = {"pool": self._pool, "pid": self.pid, "exec_ttl": limit, "request": call.describe()}
        if stderr := self._stderr.tail():
            fields["stderr"] = stderr
        log.warning("killing worker: exec_ttl reached", **fields)
        self._fail_call(ExecTimeout(self.pid, limit))
        self.kill()

    # -- streamed replies ----------------------------------------------------------------------------------------------

    def _open_stream(self, call: Call, frame: Frame) -> None:
        chunk = read_chunk(frame)
        if chunk is None:
            self._on_protocol_error("bad payload: context longer than its frame")
            return
        self._call = None
        self.answers += 1
        call.began = self._loop.time()
        if frame.stream & _PING:
            self._relay.send(PONG)
        if not frame.stream & _MORE_FRAMES:  # stream bits, but already the last frame
            self._finish()
            call.succeed(Reply(chunk.context, chunk.body, chunk.codec))
            return
        self._stream = stream = WorkerStream(self, call)
        if not call.succeed(Reply(chunk.context, chunk.body, chunk.codec, stream)):
            stream.drop()

    def _on_stream_frame(self, stream: WorkerStream, frame: Frame) -> None:
        stream.call.began = self._loop.time()
        if frame.flags & _ERROR:
            text = frame.payload.decode(errors="replace")
            if self.state is State.WORKING:
                self._leave_service(State.INVALID)
            self._close_stream(WorkerFailed(text, self.pid, frame.payload))
            return
        chunk = read_chunk(frame)
        if chunk is None:
            self._on_protocol_error("bad payload: context longer than its frame")
            return
        if frame.stream & _PING and not stream.aborted:
            self._relay.send(PONG)
        chunk.last = not frame.stream & _MORE_FRAMES
        if chunk.body or chunk.context or not chunk.last:  # an empty frame may be an empty message
            stream.push(chunk)
        if chunk.last:
            self._close_stream(None)

    def _detach_stream(self) -> WorkerStream | None:
        stream, self._stream = self._stream, None
        if self._abort_timer is not None:
            self._abort_timer.cancel()
            self._abort_timer = None
        return stream

    def _close_stream(self, error: Exception | None) -> None:
        stream = self._detach_stream()
        if stream is not None:
            self.failures += error is not None
            stream.end(error)
        self._finish()

    # StreamSource

    def pause_stream(self) -> None:
        self._relay.pause()

    def resume_stream(self) -> None:
        if self._stream is not None:
            self._stream.call.began = self._loop.time()  # the reader was slow, not the worker
        self._relay.resume()

    def abort_stream(self) -> None:
        self._relay.send(STOP_STREAM)
        self._abort_timer = self._loop.call_later(self.stream_timeout, self._on_abort_timeout)

    def _on_abort_timeout(self) -> None:
        self._abort_timer = None
        log.warning("killing worker: its stream did not end after STOP", pid=self.pid, timeout=self.stream_timeout)
        self.kill()

    # -- the end -------------------------------------------------------------------------------------------------------

    def retire(self, reason: State) -> None:
        """Take no more calls; a running one is finished. ``reason`` becomes its state."""
        self._leave_service(reason)

    def _leave_service(self, reason: State) -> None:
        self.state = transition(self.state, reason)
        if self.cause is None:
            self.cause = reason
        if self.lease is not None:
            self.lease.end(reason.label)

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Stop it: send the stop frame, after ``timeout`` seconds SIGTERM, then SIGKILL. A running call fails.

        Returns when its process has exited. Idempotent, safe to cancel.
        """
        if self._ending is None:
            self._ending = self._loop.create_task(self._stop(timeout))
        await asyncio.shield(self._ending)

    async def _stop(self, timeout: float) -> None:
        self._leave_service(State.STOPPING)
        self._relay.send(STOP_WORKER)
        status = await self._child.wait(timeout) if timeout > 0 else None
        if status is None and not self._child.exited.done():
            log.warning("worker doesn't respond on stop command, killing process", pid=self.pid, timeout=timeout)
            self._child.signal(signal.SIGTERM)
            if await self._child.wait(_TERM_TIMEOUT) is None:
                self._child.kill()
                await self._child.wait()
        self._fail_call(WorkerCrashed(self.pid, "stopped", self._child.exited.result(), "", ""))
        self.state = transition(self.state, State.STOPPED)
        log.debug("worker destroyed", pid=self.pid)
        self._release()

    def kill(self) -> None:
        """Send SIGKILL; a running call fails. Idempotent."""
        self._end(RelayClosed(mid_frame=False), kill=True, quiet=True)

    def _on_protocol_error(self, cause: str) -> None:
        self._end(RelayError(cause), kill=True)

    def _on_lost(self, error: RelayError | FrameError) -> None:
        self._end(error, kill=isinstance(error, RemoteFrameError))

    def _on_process_exit(self) -> None:
        """The process has exited, but a process that it started, in its own group, may hold the relay open. The output
        of the worker itself has been read by now, unless a slow reader has paused its stream."""
        if self._stream is not None and self._stream.paused:
            self._loop.call_later(OUTPUT_TIMEOUT, self._on_process_exit)
        else:
            self._end(RelayClosed(mid_frame=False), kill=False)

    def _end(self, cause: RelayError | FrameError, *, kill: bool, quiet: bool = False) -> None:
        if self._ending is None:
            self._relay.on_frame = _ignore_frame
            self._ending = self._loop.create_task(self._on_crash(cause, kill=kill, quiet=quiet))
            if self.state is not State.EXEC_TTL_REACHED:
                self._leave_service(State.ERRORED)
            if self.owner is not None:
                self.owner.on_failed(self)

    async def _on_crash(self, cause: RelayError | FrameError, *, kill: bool, quiet: bool) -> None:
        """Collect how it ended, fail its call or give it back, write one log line."""
        call = self._call
        fence = len(_fence()) if self._fence is not None else 0
        unread = call is not None and self._relay.unread() >= call.size + fence
        crash = await collect_crash(self._child, self._relay, self._stderr, cause, kill=kill)
        if call is not None and unread and self.owner is not None:
            # It exited before it read any of the call, so it did nothing of it.
            self._call = self._fence = None
            log.debug("worker exited before it read the request", pid=self.pid, exit=describe_exit(crash.status))
            self.owner.requeue(self, call)
        else:
            running = self.current_call
            self._fail_call(crash.error())
            if not quiet:
                crash.report(self._pool, running, self._loop.time())
        self._release()

    def _fail_call(self, error: Exception) -> None:
        """Fail the call or stream that runs, if any."""
        call, self._call = self._call, None
        self._fence = None
        stream = self._detach_stream()
        if stream is not None:
            self.failures += 1
            stream.end(error)
        if call is not None:
            self.failures += 1
            call.fail(error)

    def _release(self) -> None:
        self._relay.close()
        self._stderr.close()
        self._exited.set_result(None)
        if self.owner is not None:
            self.owner.on_exited(self)

    async def wait_exited(self, timeout: float | None) -> bool:
        """Wait for the end of its process; returns whether it ended within ``timeout`` seconds. Safe to cancel."""
        await asyncio.wait([self._exited], timeout=None if timeout is None else max(timeout, 0.0))
        return self._exited.done()

    # -- its current call ----------------------------------------------------------------------------------------------

    @property
    def current_call(self) -> Call | None:
        """The call that has not ended."""
        return self._call or self._fence or (self._stream.call if self._stream is not None else None)

    def runs(self, call: Call) -> bool:
        """Whether it runs this call and has not begun to answer it."""
        return self._call is call

    @property
    def busy(self) -> bool:
        """Whether a call, or the rest of a streamed reply, is still running."""
        return self._call is not None or self._stream is not None or self._fence is not None

    @property
    def in_use(self) -> bool:
        """Whether it is busy, or held by a lease."""
        return self.busy or self.lease is not None

    @property
    def awaited(self) -> bool:
        """Whether a caller waits for it; an aborted stream has no reader."""
        return (
            self._call is not None or self.lease is not None or (self._stream is not None and not self._stream.aborted)
        )

    @property
    def exited(self) -> bool:
        """Whether its process has exited."""
        return self._exited.done()

    @property
    def exit_status(self) -> int:
        """Exit code of its process, or the negative number of a signal; only once it has exited."""
        return self._child.exited.result()

    def memory(self) -> int:
        """Resident bytes."""
        return memory_of(self.pid)

    def info(self, pool: str) -> WorkerInfo:
        """A snapshot for ``informer``; reads /proc."""
        now = self._loop.time()
        call = self.current_call
        age = now - self.started
        cpu_seconds = cpu_seconds_of(self.pid)
        return WorkerInfo(
            pid=self.pid,
            status=int(self.state),
            num_execs=self.execs,
            created=self.created_ns,
            memory_usage=self.memory(),
            cpu_percent=100.0 * cpu_seconds / age if age > 0 else 0.0,
            cpu_seconds=cpu_seconds,
            status_str=self.state.label,
            pool=pool,
            activity=call.describe() if call else "",
            activity_since=max(self.created_ns, time.time_ns() - int((now - call.began) * 1e9)) if call else 0,
        )


async def infos(workers: Iterable[Worker], pool: str) -> list[WorkerInfo]:
    """Snapshots of workers. Reading /proc takes some 30 us per worker, so other work runs in between."""
    found = []
    for worker in list(workers):
        if not worker.exited:
            found.append(worker.info(pool))
            await asyncio.sleep(0)
    return found


@cache
def _fence() -> bytes:
    return hello_request(os.getpid())


def _ignore_frame(_frame: Frame) -> None:
    """A frame of a worker that has failed."""
