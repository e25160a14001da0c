"""One call on its way through a pool."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from pyroadrunner.goridge.frame import encode_head, encode_payload
from pyroadrunner.workers.payload import Payload, Reply

_COPY_BELOW = 1 << 16  # bytes: up to here one joined write is cheaper than two


class OnCancel(Enum):
    """What happens to a running call when its caller is cancelled."""

    FINISH = "finish"  # the worker runs it to its end; its reply is read and dropped
    KILL = "kill"  # the worker is killed and replaced


class ReplyRule(Enum):
    """How many frames a worker may answer a call with, if it does not stream its reply."""

    ONE = "one"  # exactly one; a worker that sends another frame is replaced
    FIRST = "first"  # the first is the reply; further frames are dropped with a warning, and the worker stays
    OPTIONAL = "optional"  # as FIRST; a worker that waits for its next call without a reply has sent an empty one


class Answer(Protocol):
    """What a caller waits for: a future, or a :class:`Submission`."""

    def done(self) -> bool: ...

    def set_result(self, reply: Reply, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...


class Receiver(Protocol):
    """Gets the outcome of a submitted call, in a callback of the event loop. Its methods must not raise."""

    def on_reply(self, reply: Reply) -> None:
        """The reply, or the first frame of a streamed one."""

    def on_error(self, error: Exception) -> None:
        """The call failed; see ``WorkerPool.exec`` for the errors."""

    def describe(self) -> str:
        """What the call does, for ``rr workers -i`` and log lines."""


class Call:
    """The frame for a worker, the answer for its caller, and the times of its wait.

    Attributes:
        frame: sent first: the whole frame, or its head and context when the body is large.
        body: the rest of the frame; empty when ``frame`` is whole.
        answer: done with the reply or an error; cancelled together with its caller.
        priority: its place in a queue that has priorities; lower ones go first.
        timeout: seconds a worker may take for it (for a streamed reply, for each frame); 0 = no limit, ``None`` = the
            pool's ``exec_ttl``.
        wait_timeout: ``None``: it waits for a worker up to the pool's ``allocate_timeout``.
        accepted: when it entered the pool, seconds of the loop's clock.
        began: when its worker got it, or sent the last frame of its stream; same clock.
        waits_since: when it began to wait; moved on by the time at a worker that handed it back, which does not
            count.
        attempts: how many workers it was given to.
        leased: whether it was sent to a leased worker, so it goes to no other.
        rule: how many frames the worker may answer with.
    """

    __slots__ = (
        "_describe",
        "accepted",
        "answer",
        "attempts",
        "began",
        "body",
        "frame",
        "leased",
        "priority",
        "timeout",
        "waits_since",
    )
    wait_timeout: float | None = None
    rule: ReplyRule = ReplyRule.ONE

    def __init__(
        self,
        payload: Payload,
        answer: Answer,
        now: float,
        timeout: float | None = None,
        describe: Callable[[], str] | None = None,
        priority: int = 0,
        *,
        leased: bool = False,
    ) -> None:
        if len(payload.body) < _COPY_BELOW:
            self.frame = encode_payload(payload.context, payload.body, payload.codec)
            self.body: bytes | bytearray = b""
        else:
            self.frame = encode_head(payload.context, len(payload.body), payload.codec)
            self.body = payload.body
        self._describe = describe
        self.answer = answer
        self.timeout = timeout
        self.priority = priority
        self.leased = leased
        self.accepted = self.began = self.waits_since = now
        self.attempts = 0

    def __repr__(self) -> str:
        return f"Call({self.describe()}, attempts={self.attempts}, {'done' if self.answer.done() else 'open'})"

    def wait_again(self, now: float) -> None:
        """A worker has handed it back: do not count the time there as waiting."""
        self.waits_since += now - self.began

    @property
    def size(self) -> int:
        """Bytes of the frame."""
        return len(self.frame) + len(self.body)

    def describe(self) -> str:
        """What it does, for ``rr workers -i``: ``GET /path``; empty if its caller gave no description."""
        return self._describe() if self._describe is not None else ""

    def succeed(self, reply: Reply) -> bool:
        """Give the reply to the caller. Returns whether the caller still waits."""
        if self.answer.done():
            return False
        self.answer.set_result(reply)
        return True

    def fail(self, error: Exception) -> None:
        """Give an error to the caller."""
        if not self.answer.done():
            self.answer.set_exception(error)


class LenientCall(Call):
    """A call with another rule than ``ONE``."""

    __slots__ = ("rule",)


class Submission:
    """A call whose outcome goes to a receiver: no task, no future.

    Args:
        left: called when the call has left the pool, before the receiver.
    """

    __slots__ = ("_left", "_receiver", "call")
    call: Call

    def __init__(self, receiver: Receiver, left: Callable[[], None] = lambda: None) -> None:
        self._receiver: Receiver | None = receiver
        self._left = left

    def __repr__(self) -> str:
        return f"Submission({self.call!r})"

    @property
    def waiting(self) -> bool:
        """Whether no worker has got the call yet."""
        return self._receiver is not None and not self.call.attempts

    def cancel(self) -> None:
        """Give the call up: it leaves the queue, or the worker finishes it and its reply is dropped. Idempotent."""
        if self._receiver is not None:
            self._receiver = None
            self._left()

    # Answer

    def done(self) -> bool:
        return self._receiver is None

    def set_result(self, reply: Reply) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._left()
            receiver.on_reply(reply)

    def set_exception(self, error: Exception) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            self._left()
            receiver.on_error(error)


def new_call(
    rule: ReplyRule,
    payload: Payload,
    submission: Submission,
    now: float,
    timeout: float | None,
    receiver: Receiver,
    priority: int,
) -> Call:
    """The call of a submission."""
    if rule is ReplyRule.ONE:
        return Call(payload, submission, now, timeout, receiver.describe, priority)
    call = LenientCall(payload, submission, now, timeout, receiver.describe, priority)
    call.rule = rule
    return call


def drop_stream(answer: asyncio.Future[Reply]) -> None:
    """Stop the stream of a reply that arrived in the turn of the loop in which the caller was cancelled: it has no
    reader."""
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        stream = answer.result().stream
        if stream is not None:
            stream.drop()
