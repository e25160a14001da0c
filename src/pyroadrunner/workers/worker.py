"""One worker: a child that has said hello, the request it runs, and its end.

Theory of operation. A worker runs one request at a time. Its state changes here, in the callback that sees the frame or
the end of the relay, and nowhere else; whoever waits for the answer learns of it later. A request leaves the worker in
one of four ways, each of which empties ``_call`` first:

- answered: the reply goes to the waiting future (or nowhere, when the future was cancelled: an abandoned reply is read
  to its end like any other, so it can never be taken for the next one);
- handed back: ``{"stop":true}``, or a worker that had gone before it read a single byte of the request: the pool
  gives it to another worker;
- failed softly: an error frame; the worker lives on;
- failed hard: garbage, the relay cut, ``exec_ttl``: the worker is killed, and the error carries how it ended.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Protocol

from pyroadrunner.goridge.errors import FrameError, RelayClosed, RelayError, RemoteFrameError
from pyroadrunner.goridge.frame import PONG, STOP_STREAM, STOP_WORKER, Flag, Frame, Stream
from pyroadrunner.goridge.relay import Relay
from pyroadrunner.goridge.stdout_text import contains_frame, printed_text
from pyroadrunner.log import Log
from pyroadrunner.workers.call import Call
from pyroadrunner.workers.child_process import Child
from pyroadrunner.workers.crash_report import crash_fields
from pyroadrunner.workers.errors import (
    BadReply,
    ExecTimeout,
    WorkerCrashed,
    WorkerError,
    WorkerFailed,
    describe_exit,
)
from pyroadrunner.workers.info import WorkerInfo
from pyroadrunner.workers.output import OutputReader
from pyroadrunner.workers.payload import Chunk, Reply
from pyroadrunner.workers.state import State, transition
from pyroadrunner.workers.stream import WorkerStream
from pyroadrunner.workers.usage import cpu_of, memory_of

STOP_TIMEOUT = 10.0  # seconds a worker has to exit after the stop frame: RoadRunner's constant
_TERM_TIMEOUT = 1.0  # seconds between SIGTERM and SIGKILL
_EXIT_TIMEOUT = 0.5  # seconds a worker that closed its relay has to exit before it is killed
_OUTPUT_TIMEOUT = 0.2  # seconds to read what a dead worker left in its pipes
_GARBAGE_TIMEOUT = (
    0.3  # seconds a worker that writes text may go on: cut off at once, a dump of PHP's would be its first line
)
_STDERR_LINES = 200  # of stderr, to a developer
_HAND_BACK = b'{"stop":true}'  # exactly these bytes, as in RoadRunner; `{"stop": true}` is an ordinary reply
_ERROR = int(Flag.ERROR)  # plain ints: IntFlag operators cost microseconds
_CODEC_BITS = int(Flag.RAW | Flag.JSON | Flag.MSGPACK | Flag.GOB | Flag.PROTO)
_MORE_FRAMES = int(Stream.STREAM)
_PING = int(Stream.PING)

log = Log("server")


class WorkerOwner(Protocol):
    """Who a worker belongs to: its pool."""

    def on_free(self, worker: Worker) -> None:
        """It answered. READY for the next request, or in a state that says why it has to go."""

    def requeue(self, worker: Worker, call: Call) -> None:
        """It did not take this request: run it on another one."""

    def on_failed(self, worker: Worker) -> None:
        """It failed, and takes no more requests; its process may still be ending."""

    def on_exited(self, worker: Worker) -> None:
        """Its process has ended."""


class WorkerLease(Protocol):
    """The lease that holds a worker."""

    def end(self, reason: str) -> None:
        """The worker takes no more calls."""


class Worker:
    """A child that answers requests.

    Attributes:
        state: see ``state.py``.
        execs: requests it was given so far.
        answers: requests it has answered (of a stream: begun to answer) so far.
        max_jobs: requests after which it is replaced; 0 = never.
        started: when it was started, seconds of the loop's clock.
        free_since: when it ended its last request; ``None`` while one runs and before the first.
        lease: who holds it; ``None`` = it takes any call.
        cause: the first state in which it took no more calls; ``None`` = it still does.
    """

    def __init__(self, child: Child, relay: Relay, stderr: OutputReader, *, started: float, pool: str = "") -> None:
        self.pid = child.pid
        self._pool = pool
        self.state = State.READY
        self.execs = 0
        self.answers = 0
        self.max_jobs = 0
        self.stream_timeout = 60.0
        self.started = started
        self.free_since: float | None = None
        self.owner: WorkerOwner | None = None
        self.lease: WorkerLease | None = None
        self.cause: State | None = None
        self.created_ns = time.time_ns()
        self._child = child
        self._relay = relay
        self._stderr = stderr
        self._loop = asyncio.get_running_loop()
        self._call: Call | None = None
        self._stream: WorkerStream | None = None
        self._stream_call: Call | None = None  # the job of a running stream, whose answer has been given
        self._drain: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None
        self._exited: asyncio.Future[None] = self._loop.create_future()
        relay.on_frame = self._on_frame
        relay.on_lost = self._on_lost
        child.exited.add_done_callback(lambda _: self._loop.call_later(_OUTPUT_TIMEOUT, self._on_process_exit))

    def __repr__(self) -> str:
        return f"Worker(pid={self.pid}, {self.state.label}, execs={self.execs})"

    # -- requests ------------------------------------------------------------------------------------------------------

    def run(self, call: Call) -> None:
        """Give it a request; it must be READY."""
        self.state = transition(self.state, State.WORKING)
        self.free_since = None
        self.execs += 1
        call.attempts += 1
        call.began = self._loop.time()
        self._call = call
        self._stderr.mark()
        self._relay.send(call.frame)
        if call.body:
            self._relay.send(call.body)

    def _on_frame(self, frame: Frame) -> None:
        call = self._call
        options = frame.options
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
        if self._stream is not None:
            self._on_stream_frame(self._stream, frame)
        elif self._call is None:
            self._on_protocol_error("a frame that answers no request")
        elif frame.flags & _ERROR:
            call, self._call = self._call, None
            text = frame.payload.decode(errors="replace")
            self.answers += 1
            self._finish()
            call.fail(WorkerFailed(text, self.pid))
        elif len(frame.options) != 1:
            self._on_protocol_error("Decode: options length should be equal 1 (body offset)")
        else:
            self._open_stream(self._call, frame)

    def _finish(self) -> None:
        """The answer is complete: free, or one request too many."""
        self.free_since = self._loop.time()
        if self.state is State.WORKING:
            if self.max_jobs and self.execs >= self.max_jobs:
                self._leave_service(State.MAX_JOBS_REACHED)
            else:
                self.state = transition(self.state, State.READY)
        if self.owner is not None:
            self.owner.on_free(self)

    def _on_handed_back(self, call: Call) -> None:
        self._call = None
        if self.state is State.WORKING:
            self._leave_service(State.INVALID)
        if self.owner is not None:
            self.owner.requeue(self, call)
        self._finish()

    def expire(self, now: float, exec_ttl: float) -> None:
        """Kill it if its call (of a stream: the wait for its next frame) takes longer than it may.

        Args:
            exec_ttl: seconds, for calls without a timeout of their own; 0 = any time.
        """
        call = self._call or self._stream_call
        if call is None or self._ending is not None or (self._stream is not None and self._stream.paused):
            return
        limit = exec_ttl if call.timeout is None else call.timeout
        if not limit or now - call.began < limit:
            return
        self._leave_service(State.EXEC_TTL_REACHED)
        error = ExecTimeout(self.pid, limit)
        fields = {"pool": self._pool, "pid": self.pid, "exec_ttl": limit, "request": call.describe()}
        if stderr := self._stderr.tail():
            fields["stderr"] = stderr
        log.warning("worker is killed: exec_ttl reached", **fields)
        self._fail_call(error)
        self._end(RelayClosed(mid_frame=False), kill=True, quiet=True)

    # -- streams -------------------------------------------------------------------------------------------------------

    def _open_stream(self, call: Call, frame: Frame) -> None:
        chunk = _chunk(frame)
        if chunk is None:
            self._on_protocol_error("bad payload: context longer than its frame")
            return
        self._call, self._stream_call = None, call
        self.answers += 1
        call.began = self._loop.time()
        stream = WorkerStream(self)
        self._stream = stream
        if frame.stream & _PING:
            self._relay.send(PONG)
        if not frame.stream & _MORE_FRAMES:  # stream bits, but the last frame all the same
            self._stream = self._stream_call = None
            stream.end()
            self._finish()
            call.succeed(Reply(chunk.context, chunk.body, chunk.codec))
        elif not call.succeed(Reply(chunk.context, chunk.body, chunk.codec, stream)):
            stream.drop()

    def _on_stream_frame(self, stream: WorkerStream, frame: Frame) -> None:
        if self._stream_call is not None:
            self._stream_call.began = self._loop.time()
        if frame.flags & _ERROR:
            text = frame.payload.decode(errors="replace")
            if self.state is State.WORKING:
                self._leave_service(State.INVALID)
            self._close_stream(WorkerFailed(text, self.pid))
            return
        chunk = _chunk(frame)
        if chunk is None:
            self._on_protocol_error("bad payload: context longer than its frame")
            return
        if frame.stream & _PING and not stream.aborted:
            self._relay.send(PONG)
        if chunk.body or chunk.context:
            stream.push(chunk)
        if not frame.stream & _MORE_FRAMES:
            self._close_stream(None)

    def _detach_stream(self) -> WorkerStream | None:
        stream, self._stream, self._stream_call = self._stream, None, None
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
        return stream

    def _close_stream(self, error: Exception | None) -> None:
        stream = self._detach_stream()
        if stream is not None:
            stream.end(error)
            if stream.paused:
                self._relay.resume()
        self._finish()

    def pause_stream(self) -> None:
        self._relay.pause()

    def resume_stream(self) -> None:
        if self._stream_call is not None:
            self._stream_call.began = self._loop.time()  # the reader was slow, not the worker
        self._relay.resume()

    def abort_stream(self) -> None:
        self._relay.send(STOP_STREAM)
        self._drain = self._loop.call_later(self.stream_timeout, self._on_drain_timeout)

    def _on_drain_timeout(self) -> None:
        self._drain = None
        log.warning("worker is killed: its stream did not end after STOP", pid=self.pid, timeout=self.stream_timeout)
        self._end(RelayClosed(mid_frame=False), kill=True, quiet=True)

    # -- the end -------------------------------------------------------------------------------------------------------

    def retire(self, reason: State) -> None:
        """Take no more requests; when it runs one, that is answered first. The state says why."""
        self._leave_service(reason)

    def _leave_service(self, reason: State) -> None:
        self.state = transition(self.state, reason)
        if self.cause is None:
            self.cause = reason
        if self.lease is not None:
            self.lease.end(reason.label)

    @property
    def busy(self) -> bool:
        """Whether a request, or the rest of a stream, is still running."""
        return self._call is not None or self._stream is not None

    @property
    def in_use(self) -> bool:
        """Whether it runs something, or is held by a lease."""
        return self._call is not None or self._stream is not None or self.lease is not None

    @property
    def awaited(self) -> bool:
        """The same, less an abandoned stream, whose end has no reader."""
        return (
            self._call is not None or self.lease is not None or (self._stream is not None and not self._stream.aborted)
        )

    def runs(self, call: Call) -> bool:
        """Whether it runs this call, up to its answer or the first frame of it."""
        return self._call is call

    @property
    def exit_status(self) -> int:
        """How its process ended: exit code, or the negative number of a signal. Only once it has."""
        return self._child.exited.result()

    @property
    def exited(self) -> bool:
        """Whether its process has ended."""
        return self._exited.done()

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """End it in order: stop frame, after ``timeout`` seconds SIGTERM, then SIGKILL. A request it still runs fails.

        Returns when its process has ended. Idempotent.
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
        """SIGKILL, now; a request it runs fails."""
        self._end(RelayClosed(mid_frame=False), kill=True, quiet=True)

    def _on_protocol_error(self, cause: str) -> None:
        """It broke the protocol."""
        self._end(RelayError(cause), kill=True)

    def _on_lost(self, error: RelayError | FrameError) -> None:
        self._end(error, kill=isinstance(error, RemoteFrameError))

    def _on_process_exit(self) -> None:
        """Its process has ended, and its relay may not have: somebody it started, in a group of its own, holds it
        open. What it wrote itself has been read by now, unless a slow reader holds us back."""
        if self._stream is not None and self._stream.paused:
            self._loop.call_later(_OUTPUT_TIMEOUT, self._on_process_exit)
        else:
            self._end(RelayClosed(mid_frame=False), kill=False)

    def _end(self, cause: RelayError | FrameError, *, kill: bool, quiet: bool = False) -> None:
        if self._ending is None:
            self._relay.on_frame = _ignore_frame  # whatever it still says, it is not listened to any more
            self._ending = self._loop.create_task(self._on_crash(cause, kill=kill, quiet=quiet))
            if self.state is not State.EXEC_TTL_REACHED:
                self._leave_service(State.ERRORED)
            if self.owner is not None:
                self.owner.on_failed(self)

    async def _on_crash(self, cause: RelayError | FrameError, *, kill: bool, quiet: bool) -> None:
        """Learn how it ended, tell whoever waits, once."""
        call = self._call
        unread = call is not None and self._relay.unread() >= call.size
        killed = False
        if kill:
            await self._drain_output()
            killed = not self._child.exited.done()
            self._child.kill()
        if await self._child.wait(_EXIT_TIMEOUT) is None and not self._child.exited.done():
            killed = True
            self._child.kill()
            await self._child.wait()
        status = self._child.exited.result()
        await self._read_remaining_output()
        if call is not None and unread and self.owner is not None:
            # It was on its way out before the request reached it: nothing of it was read, so nothing was done.
            self._call = None
            log.debug("worker exited before it read the request", pid=self.pid, exit=describe_exit(status))
            self.owner.requeue(self, call)
        else:
            self._report(cause, status, killed=killed, quiet=quiet)
        self._release()

    def _report(self, cause: RelayError | FrameError, status: int, *, killed: bool, quiet: bool) -> None:
        garbage = printed_text(self._relay.garbage)
        stderr = self._stderr.tail(_STDERR_LINES)
        error: WorkerError
        if isinstance(cause, RelayClosed | RemoteFrameError):
            error = WorkerCrashed(self.pid, str(cause), status, stderr, garbage)
        else:
            error = BadReply(f"sync_worker_receive_frame: {cause}", self.pid)
        busy = self._call or self._stream_call
        self._fail_call(error)
        if quiet:
            return
        fields: dict[str, object] = {"pool": self._pool, "pid": self.pid}
        if busy is not None:
            fields["request"] = busy.describe()
            fields["elapsed"] = int((self._loop.time() - busy.began) * 1000)
        broken = "" if isinstance(cause, RelayClosed) else str(cause)
        fields |= crash_fields(
            status, stderr=stderr, garbage=garbage, broken=broken, busy=busy is not None, killed=killed
        )
        if busy is None and not garbage and status == 0:
            log.info("worker exited", **fields)
        else:
            log.error("worker died", **fields)

    async def _drain_output(self) -> None:
        """Let one that writes text where a frame is due go on, until its answer is there after all."""
        until = self._loop.time() + _GARBAGE_TIMEOUT
        while self._relay.garbage and not self._child.exited.done() and self._loop.time() < until:
            if contains_frame(self._relay.garbage):
                return
            await asyncio.sleep(0.005)

    async def _read_remaining_output(self) -> None:
        """Read what is left in its pipes; a grandchild may hold them open, so not for long."""
        until = self._loop.time() + _OUTPUT_TIMEOUT
        await asyncio.wait([self._stderr.closed], timeout=_OUTPUT_TIMEOUT)
        while not self._relay.lost and self._loop.time() < until:  # noqa: ASYNC110 - only after garbage; no event tells
            await asyncio.sleep(0.005)

    def _fail_call(self, error: Exception) -> None:
        """Fail the request it runs, if any."""
        call, self._call = self._call, None
        stream = self._detach_stream()
        if stream is not None:
            stream.end(error)
        if call is not None:
            call.fail(error)

    def _release(self) -> None:
        self._relay.close()
        self._stderr.close()
        self._exited.set_result(None)
        if self.owner is not None:
            self.owner.on_exited(self)

    async def wait_exited(self, timeout: float | None) -> bool:
        """Wait until its process has ended; returns whether it has within ``timeout`` seconds. Safe to cancel."""
        await asyncio.wait([self._exited], timeout=None if timeout is None else max(timeout, 0.0))
        return self._exited.done()

    # -- what others see -----------------------------------------------------------------------------------------------

    def memory(self) -> int:
        """Resident bytes."""
        return memory_of(self.pid)

    def info(self, pool: str) -> WorkerInfo:
        """Its figures, now."""
        now = self._loop.time()
        call = self._call or self._stream_call
        return WorkerInfo(
            pid=self.pid,
            status=int(self.state),
            num_execs=self.execs,
            created=self.created_ns,
            memory_usage=self.memory(),
            cpu_percent=cpu_of(self.pid, now - self.started),
            status_str=self.state.label,
            pool=pool,
            activity=call.describe() if call else "",
            activity_since=time.time_ns() - int((now - call.began) * 1e9) if call else 0,
        )


def _ignore_frame(_frame: Frame) -> None:
    """A frame of a worker that was given up."""


def _chunk(frame: Frame) -> Chunk | None:
    """Context and body of a frame of a stream; a frame without options is all body."""
    size = frame.options[0] if frame.options else 0
    if size > len(frame.payload):
        return None
    return Chunk(frame.payload[:size], frame.payload[size:], frame.flags & _CODEC_BITS)
