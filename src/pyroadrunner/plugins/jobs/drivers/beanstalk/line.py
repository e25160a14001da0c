"""A connection to beanstalkd that reserves jobs of one tube, and the jobs that it holds.

Only the connection that has reserved a job can delete, release or touch it, and while a connection waits for a job
beanstalkd reads none of its commands. So a connection that holds jobs should not wait for more.
"""

from __future__ import annotations

from collections.abc import Callable

from pyroadrunner.plugins.jobs.drivers.beanstalk.protocol import Reply, reserve
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError
from pyroadrunner.remote.connection import PipelinedConnection
from pyroadrunner.remote.errors import StoreError

ANSWER_TIMEOUT = 10.0  # seconds; a silent connection is lost
_WAITS_ALWAYS = (b"TIMED_OUT", b"DEADLINE_SOON")


class Line:
    """A connection.

    Attributes:
        held: ids of the jobs that it has reserved.

    Args:
        on_lost: called with the reason if the connection closes, unless :meth:`close` closes it.
    """

    def __init__(self, connection: PipelinedConnection, on_lost: Callable[[str], None]) -> None:
        self.held: set[int] = set()
        self._settling = 0  # jobs that are being deleted or given back
        self._connection = connection
        connection.on_close = on_lost

    def __repr__(self) -> str:
        return f"Line({len(self.held)} held)"

    @property
    def idle(self) -> bool:
        """Whether it can be closed without a job coming back that its consumer has settled."""
        return not self.held and not self._settling

    async def ask(self, question: bytes, answers: int = 1, wait: float = 0.0) -> list[Reply]:
        """Send commands together and return their replies.

        Args:
            wait: seconds that beanstalkd may take on purpose.

        Raises:
            BrokerError: the connection is lost.
        """
        try:
            return await self._connection.ask(question, answers, ANSWER_TIMEOUT + wait)
        except StoreError as error:
            raise BrokerError(str(error)) from error

    async def expect(self, question: bytes, *words: bytes) -> Reply:
        """Send one command.

        Raises:
            BrokerError: the reply begins with another word.
        """
        (reply,) = await self.ask(question)
        if reply.word not in words:
            raise BrokerError(f"beanstalkd replied {reply} to {question.split(b' ')[0].decode()}")
        return reply

    async def use(self, tube: str) -> None:
        """Push into this tube."""
        await self.expect(f"use {tube}\r\n".encode(), b"USING")

    async def watch(self, tube: str) -> None:
        """Reserve jobs of this tube only."""
        if tube != "default":
            await self.expect(f"watch {tube}\r\n".encode(), b"WATCHING")
            await self.expect(b"ignore default\r\n", b"WATCHING")

    async def reserve(self, count: int, wait: int) -> list[Reply]:
        """Up to ``count`` jobs: wait for the first up to ``wait`` seconds, take the others if they are there.

        Raises:
            BrokerError
        """
        replies = await self.ask(reserve(count, wait), count, wait)
        found = [reply for reply in replies if reply.word == b"RESERVED"]
        for reply in replies:
            if reply.word not in (b"RESERVED", *_WAITS_ALWAYS):
                raise BrokerError(f"beanstalkd replied {reply} to reserve")
        self.held.update(reply.number for reply in found)
        return found

    async def delete(self, number: int) -> None:
        """Delete a job that it holds.

        Raises:
            BrokerError: also if beanstalkd has given the job to another consumer.
        """
        self.held.discard(number)
        self._settling += 1
        try:
            (reply,) = await self.ask(b"delete %d\r\n" % number)
        finally:
            self._settling -= 1
        if reply.word != b"DELETED":
            raise BrokerError(f"beanstalkd replied {reply} to delete: its time to run was over")

    async def release(self, number: int, delay: int) -> None:
        """Give a job back, with the priority that it has.

        Raises:
            BrokerError
        """
        stats = await self.expect(b"stats-job %d\r\n" % number, b"OK")
        self.held.discard(number)
        priority = int(stats.figures().get("pri", 0))
        self._settling += 1
        try:
            await self.expect(b"release %d %d %d\r\n" % (number, priority, delay), b"RELEASED")
        finally:
            self._settling -= 1

    async def touch(self) -> list[int]:
        """Extend the time of all jobs that it holds; return the ids of those that it holds no more.

        Raises:
            BrokerError
        """
        held = list(self.held)
        if not held:
            return []
        replies = await self.ask(b"".join([b"touch %d\r\n" % number for number in held]), len(held))
        gone = [number for number, reply in zip(held, replies, strict=True) if reply.word != b"TOUCHED"]
        gone = [number for number in gone if number in self.held]  # others were settled meanwhile
        self.held.difference_update(gone)
        return gone

    def close(self) -> None:
        """Close it; beanstalkd gives the jobs that it holds to other consumers."""
        self._connection.on_close = None
        self._connection.abort("closed")
