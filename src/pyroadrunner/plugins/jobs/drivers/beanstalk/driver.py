"""A tube of beanstalkd.

**Theory of operation.** One connection pushes. Others reserve (``line.py``): one that holds no job waits for the next
one, and takes more while there are more. When the tube is empty, an idle connection waits while the first one keeps its
jobs until they are settled. There are as many as that takes, up to a limit; then the connection with the fewest jobs
waits in short steps, and what is settled on it waits along.

The server touches the jobs that it holds every half second, so that those of other programs with a short time to run
are kept, too. beanstalkd does not count failed attempts, so a failed job is pushed again with its count in the headers,
and then deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence

from pyroadrunner.log import Log
from pyroadrunner.net.address import TcpAddress, parse_address
from pyroadrunner.plugins.jobs.drivers.beanstalk.config import BeanstalkConfig, BeanstalkSection
from pyroadrunner.plugins.jobs.drivers.beanstalk.line import Line
from pyroadrunner.plugins.jobs.drivers.beanstalk.message import body_of, job_of
from pyroadrunner.plugins.jobs.drivers.beanstalk.protocol import Reply, ReplyReader, put
from pyroadrunner.plugins.jobs.drivers.contract import (
    BrokerError,
    BrokerStats,
    Delivery,
    Driver,
    Headers,
    Host,
    Job,
    PushRefused,
)
from pyroadrunner.remote.connection import connect, connect_unix
from pyroadrunner.remote.errors import StoreError

_TOUCH_EVERY = 0.5  # seconds; the shortest time to run is one
_MOST_LINES = 8  # connections that reserve
_SHORT_WAIT = 1  # seconds that a connection with jobs waits: beanstalkd's shortest
_MOST_AT_ONCE = 64  # jobs reserved together
_LONGEST_DELAY = 2**32 - 1

log = Log("jobs")


class BeanstalkDriver(Driver):
    """A tube."""

    def __init__(self, host: Host, config: BeanstalkConfig, section: BeanstalkSection) -> None:
        self._host = host
        self._config = config
        self._address = parse_address(section.addr, default_scheme="tcp")
        self._timeout = section.timeout or 30.0
        self._time_to_run = max(1, math.ceil(self._timeout))
        self._wait = max(1, math.ceil(config.reserve_timeout))
        self._pusher: Line | None = None
        self._largest = 0  # bytes of a body
        self._lines: list[Line] = []
        self._inspector: Line | None = None  # for take()
        self._fetcher: asyncio.Task[None] | None = None
        self._reserving: asyncio.Task[int] | None = None
        self._reserving_on: Line | None = None
        self._toucher: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"BeanstalkDriver({self._address}, {self._config.tube}, {self._lines})"

    async def connect(self) -> None:
        self._pusher = await self._dial()
        await self._pusher.use(self._config.tube)
        stats = await self._pusher.expect(b"stats\r\n", b"OK")
        self._largest = int(stats.figures().get("max-job-size", 65535))
        self._toucher = asyncio.create_task(self._touch(), name=f"jobs {self._host.name} touch")

    async def disconnect(self) -> None:
        tasks = [task for task in (self._fetcher, self._reserving, self._toucher) if task is not None]
        self._fetcher = self._reserving = self._toucher = None
        for line in (self._pusher, self._inspector, *self._lines):
            if line is not None:
                line.close()
        self._pusher = self._inspector = self._reserving_on = None
        self._lines = []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def push(self, jobs: Sequence[Job]) -> None:
        pusher = self._connected(self._pusher)
        bodies: list[bytes] = []
        refused = ""
        for job in jobs:
            body = body_of(job)
            if len(body) > self._largest:
                refused = f"the job takes {len(body)} bytes, and beanstalkd accepts {self._largest} (its option -z)"
            elif job.delay > _LONGEST_DELAY:
                refused = f"beanstalkd has no delay of {job.delay} s, only up to {_LONGEST_DELAY} s"
            if refused:
                break
            bodies.append(put(body, self._config.tube_priority, job.delay, self._time_to_run))
        wrong = ""
        for reply in await pusher.ask(b"".join(bodies), len(bodies)):
            if reply.word == b"BURIED":  # beanstalkd had no memory to queue it
                await pusher.ask(b"delete %d\r\n" % reply.number)
            if reply.word != b"INSERTED":
                wrong = wrong or f"beanstalkd replied {reply} to put"
        if wrong:
            raise BrokerError(wrong)
        if refused:
            raise PushRefused(refused)

    async def consume(self) -> None:
        if not self._lines:
            self._lines.append(await self._watching())
        self._fetcher = asyncio.create_task(self._fetch(), name=f"jobs {self._host.name}")

    async def cancel(self) -> None:
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is None:
            return
        fetcher.cancel()
        await asyncio.wait([fetcher])
        reserving, line = self._reserving, self._reserving_on
        if reserving is None or line is None:
            return
        if line.idle and line in self._lines:  # beanstalkd takes a job back that is on its way
            self._lines.remove(line)
            line.close()
        await asyncio.wait([reserving])

    async def ack(self, delivery: Delivery) -> None:
        line, number = delivery.receipt
        await line.delete(number)

    async def nack(self, delivery: Delivery) -> None:
        """Delete the job, as RoadRunner does."""
        await self.ack(delivery)

    async def redeliver(self, delivery: Delivery, delay: int) -> None:
        line, number = delivery.receipt
        try:
            await self.push([delivery.failed_copy(delay)])
        except PushRefused:  # too large with the headers of the attempt: this attempt is not counted
            await line.release(number, delay)
        else:
            await line.delete(number)

    async def requeue(self, delivery: Delivery, headers: Headers, delay: int) -> None:
        await self.push([delivery.job.copy(headers, delay)])
        await self.ack(delivery)

    async def release(self, delivery: Delivery) -> None:
        line, number = delivery.receipt
        await line.release(number, 0)

    async def take(self, limit: int) -> Sequence[Delivery]:
        self._connected(self._pusher)
        if self._inspector is None:
            self._inspector = await self._watching()
        line = self._inspector
        found: list[Delivery] = []
        while len(found) < limit:
            asked = min(limit - len(found), _MOST_AT_ONCE)
            replies = await line.reserve(asked, 0)
            found += [self._delivery(line, reply) for reply in replies]
            if len(replies) < asked:
                break
        return found

    async def stat(self) -> BrokerStats:
        """The figures of the tube; RoadRunner shows those of the whole server."""
        tube = self._config.tube
        reply = await self._connected(self._pusher).expect(f"stats-tube {tube}\r\n".encode(), b"OK", b"NOT_FOUND")
        figures = reply.figures()
        ready, delayed, reserved = (int(figures.get(f"current-jobs-{x}", 0)) for x in ("ready", "delayed", "reserved"))
        return BrokerStats(queue=tube, active=ready, delayed=delayed, reserved=reserved)

    # inside

    def _connected(self, line: Line | None) -> Line:
        if line is None:
            raise BrokerError("not connected")
        return line

    async def _dial(self) -> Line:
        reader, address = ReplyReader(), self._address
        try:
            if isinstance(address, TcpAddress):
                host = address.host or "127.0.0.1"
                connection = await connect(host, address.port, reader, self._timeout)
            else:
                connection = await connect_unix(address.path, reader, self._timeout)
        except StoreError as error:
            raise BrokerError(str(error)) from error
        return Line(connection, self._host.lost)

    async def _watching(self) -> Line:
        line = await self._dial()
        try:
            await line.watch(self._config.tube)
        except BaseException:
            line.close()
            raise
        return line

    async def _fetch(self) -> None:
        """Reserve as many jobs as the pipeline has room for."""
        line, batch, more = self._lines[0], 1, False
        with contextlib.suppress(BrokerError):  # its connection has told the pipeline
            while True:
                room = await self._host.room(self._config.prefetch)
                if not more:
                    line = await self._line_to_wait_on()
                asked = min(room, batch)
                wait = 0 if more else _SHORT_WAIT if line.held else self._wait
                self._reserving_on = line
                self._reserving = asyncio.create_task(self._reserve(line, asked, wait))
                count = await asyncio.shield(self._reserving)
                more = count == asked
                batch = min(2 * asked, _MOST_AT_ONCE) if more else max(count, 1)

    async def _reserve(self, line: Line, count: int, wait: int) -> int:
        """Reserve and deliver; return how many. Not cancelled by :meth:`cancel`: what arrives later is given back."""
        try:
            replies = await line.reserve(count, wait)
            for reply in replies:
                if self._fetcher is None:
                    await line.release(reply.number, 0)
                else:
                    self._host.deliver(self._delivery(line, reply))
        except BrokerError as error:
            if self._fetcher is not None:
                self._host.lost(str(error))
                raise
            return 0
        return len(replies)

    async def _line_to_wait_on(self) -> Line:
        """A connection without jobs, if possible."""
        fewest = min(self._lines, key=lambda line: len(line.held))
        if not fewest.held or len(self._lines) >= _MOST_LINES:
            return fewest
        line = await self._watching()
        self._lines.append(line)
        return line

    def _delivery(self, line: Line, reply: Reply) -> Delivery:
        job = job_of(reply.body, self._host.name, self._config.priority)
        return Delivery(job=job, receipt=(line, reply.number), queue=self._config.tube)

    async def _touch(self) -> None:
        """Keep the held jobs."""
        try:
            while True:
                await asyncio.sleep(_TOUCH_EVERY)
                lines = [*self._lines, *([self._inspector] if self._inspector else [])]
                for gone in await asyncio.gather(*map(Line.touch, lines)):
                    if gone:
                        log.warning(
                            "beanstalkd has given jobs to other consumers: they were not touched in time",
                            pipeline=self._host.name,
                            jobs=len(gone),
                        )
        except BrokerError as error:
            self._host.lost(str(error))
