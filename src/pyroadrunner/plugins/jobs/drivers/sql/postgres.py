"""The table in PostgreSQL, for any number of servers.

One connection for all pipelines of the server. Its calls are queued: inserts, deletes and releases that arrive while
the database works become one statement, so a round trip and a commit carry as many jobs as there are. ``FOR UPDATE SKIP
LOCKED`` lets servers claim rows side by side. ``NOTIFY`` tells other servers of rows that this one does not claim at
once itself.

A server announces each holder in a second table, and extends its lease there; one row, however many jobs it holds. Who
finds an expired lease returns what that holder holds. After an outage of the database all leases have expired; so a
server begins to do that one lease after it has connected: by then the others have had time to come back.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg  # type: ignore[import-untyped]  # it has no types

from pyroadrunner.log import Log
from pyroadrunner.plugins.jobs.drivers.contract import BrokerError, BrokerRefused, PushRefused
from pyroadrunner.plugins.jobs.drivers.sql.store import TABLE, Counts, NewRow, Row, Store, Watcher

_HOLDERS = f"{TABLE}_holders"
_CHANNEL = TABLE
_CONNECT_TIMEOUT, _CLOSE_TIMEOUT = 10.0, 3.0
_MOST_CALLS, _MOST_BYTES = 1000, 4_000_000  # of one statement
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_WAITING, _DELAYED = "holder IS NULL AND due IS NULL", "holder IS NULL AND due IS NOT NULL"

_TABLES = f"""
SELECT pg_advisory_xact_lock(7283409146);
CREATE TABLE IF NOT EXISTS {TABLE} (
    id bigserial PRIMARY KEY,
    queue text NOT NULL,
    priority bigint NOT NULL DEFAULT 10,
    due bigint,
    holder bigint,
    job_id text NOT NULL DEFAULT '',
    job text NOT NULL DEFAULT '',
    payload bytea NOT NULL DEFAULT '',
    headers text NOT NULL DEFAULT '{{}}',
    auto_ack boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.1);
CREATE INDEX IF NOT EXISTS {TABLE}_waiting ON {TABLE} (queue, priority, id) WHERE {_WAITING};
CREATE INDEX IF NOT EXISTS {TABLE}_delayed ON {TABLE} (queue, due) WHERE {_DELAYED};
CREATE INDEX IF NOT EXISTS {TABLE}_held ON {TABLE} (holder, id) WHERE holder IS NOT NULL;
CREATE TABLE IF NOT EXISTS {_HOLDERS} (holder bigint PRIMARY KEY, until bigint NOT NULL);
"""
# $1, $2: rows to delete, and by whom they must be held (null: by anyone). $3, $4: rows to release, and their holders.
# $5 to $13: rows to insert, and the row in whose place each comes (null: none). $14: queues to report.
_APPLY = f"""
WITH gone AS (
    DELETE FROM {TABLE} USING unnest($1::bigint[], $2::bigint[]) AS d (id, by)
    WHERE {TABLE}.id = d.id AND (d.by IS NULL OR {TABLE}.holder = d.by) RETURNING {TABLE}.id
), freed AS (
    UPDATE {TABLE} SET holder = NULL FROM unnest($3::bigint[], $4::bigint[]) AS f (id, by)
    WHERE {TABLE}.id = f.id AND {TABLE}.holder = f.by
), added AS (
    INSERT INTO {TABLE} (queue, priority, due, job_id, job, payload, headers, auto_ack)
    SELECT queue, priority, CASE WHEN delay > 0 THEN {_NOW} + delay * 1000 END, job_id, job, payload, headers, auto_ack
    FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::bytea[], $11::text[],
        $12::boolean[], $13::bigint[]) WITH ORDINALITY
        AS new (queue, priority, delay, job_id, job, payload, headers, auto_ack, instead_of, number)
    WHERE instead_of IS NULL OR instead_of IN (SELECT id FROM gone)
    ORDER BY number
)
SELECT pg_notify('{_CHANNEL}', queue) FROM unnest($14::text[]) AS queue
"""
# A claim that a crash of the database undoes does no harm, so its commit does not wait for the disk.
_LAZY = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"
_COLUMNS = "id, priority, job_id, job, payload, headers, auto_ack"
_CLAIM = f"""
UPDATE {TABLE} SET holder = $1 FROM (
    SELECT id AS chosen FROM {TABLE} WHERE {_LAZY} AND queue = $2 AND {{where}} ORDER BY priority, id LIMIT $3
    FOR UPDATE SKIP LOCKED
) AS c WHERE id = chosen RETURNING {_COLUMNS}
"""
_CLAIM_WAITING, _CLAIM_DELAYED = _CLAIM.format(where=_WAITING), _CLAIM.format(where=_DELAYED)
_PROMOTE = f"""
UPDATE {TABLE} SET due = NULL FROM (
    SELECT id AS chosen FROM {TABLE} WHERE queue = $1 AND {_DELAYED} AND due <= {_NOW} FOR UPDATE SKIP LOCKED
) AS c WHERE id = chosen
"""
_NEXT_DUE = f"SELECT min(due) - {_NOW} FROM {TABLE} WHERE queue = $1 AND {_DELAYED}"
_COUNTS = f"""
SELECT (SELECT count(*) FROM {TABLE} WHERE queue = $1 AND {_WAITING}),
    (SELECT count(*) FROM {TABLE} WHERE queue = $1 AND {_DELAYED}),
    (SELECT count(*) FROM {TABLE} WHERE queue = $1 AND holder IS NOT NULL)
"""
_BEAT = f"INSERT INTO {_HOLDERS} VALUES ($1, {_NOW} + $2) ON CONFLICT (holder) DO UPDATE SET until = excluded.until"
_STRAYS = f"UPDATE {TABLE} SET holder = NULL WHERE holder = $1 AND NOT id = ANY ($2::bigint[])"
_RECLAIM = f"""
WITH dead AS (
    DELETE FROM {_HOLDERS} WHERE holder IN (
        SELECT holder FROM {_HOLDERS} WHERE until < {_NOW} FOR UPDATE SKIP LOCKED
    ) RETURNING holder
)
UPDATE {TABLE} SET holder = NULL
WHERE holder IS NOT NULL AND (holder IN (SELECT holder FROM dead) OR holder NOT IN (SELECT holder FROM {_HOLDERS}))
"""

# SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_REFUSED = ("28", "3D", "42", "3F", "0A")  # login, database, rights or syntax, schema, not supported
_LOST = ("08", "57P", "25006")  # connection, shutdown, a server that became read-only
_BAD_JOB = ("22", "54")  # data, limits

log = Log("jobs")


class _Change(NamedTuple):
    """A part of the next statement."""

    done: asyncio.Future[None]
    deleted: Sequence[int] = ()
    released: Sequence[int] = ()
    holder: int | None = None
    rows: Sequence[NewRow] = ()
    instead_of: int | None = None


class PostgresStore(Store):
    """The table in a database.

    Args:
        lease: seconds.
    """

    def __init__(self, dsn: str, lease: float, notify: bool) -> None:
        self.watchers: set[Watcher] = set()
        self.broken = ""
        self.pulse = lease / 3
        self._dsn = dsn
        self._lease = lease
        self._notify = notify
        self._db: Any = None  # asyncpg has no types
        self._changes: deque[_Change] = deque()
        self._calls: deque[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = deque()
        self._queued = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._reclaim_at = 0.0

    def __repr__(self) -> str:
        return f"PostgresStore({self._db!r})"

    async def open(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        try:
            self._db = await asyncpg.connect(
                self._dsn, timeout=_CONNECT_TIMEOUT, server_settings={"application_name": "roadrunner jobs"}
            )
            await self._prepare()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
            raise _connect_error(error) from error
        self._db.add_termination_listener(lambda _db: self._break("the database closed the connection"))
        self._reclaim_at = loop.time() + self._lease
        self._worker = asyncio.create_task(self._work(), name="jobs sql")

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await self._run(_nothing_to_do)  # what is queued before it
            except (BrokerError, TimeoutError):
                pass
            worker.cancel()
            await asyncio.wait([worker])
        self.watchers.clear()
        self._break("the connection is closed")
        db, self._db = self._db, None
        if db is not None:
            try:
                await db.close(timeout=1)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                db.terminate()

    async def enter(self, holder: int) -> None:
        await self._run(lambda: self._db.execute(_BEAT, holder, int(self._lease * 1000)))

    async def leave(self, holder: int) -> None:
        async def work() -> None:
            async with self._db.transaction():
                await self._db.execute(f"UPDATE {TABLE} SET holder = NULL WHERE holder = $1", holder)
                await self._db.execute(f"DELETE FROM {_HOLDERS} WHERE holder = $1", holder)

        await self._run(work)

    async def tend(self, queue: str, holder: int, known: Sequence[int]) -> int:
        async def work() -> int:
            await self._db.execute(_BEAT, holder, int(self._lease * 1000))
            returned = _count(await self._db.execute(_STRAYS, holder, known))
            if self._loop.time() >= self._reclaim_at:
                self._reclaim_at = self._loop.time() + self.pulse  # not once for each pipeline
                returned += _count(await self._db.execute(_RECLAIM))
            return returned

        returned: int = await self._run(work)
        return returned

    async def insert(self, rows: Sequence[NewRow]) -> None:
        await self._change(rows=rows)
        self._tell({row.queue for row in rows if not row.delay})

    async def delete(self, ids: Sequence[int]) -> None:
        await self._change(deleted=ids)

    async def replace(self, id_: int, holder: int, row: NewRow) -> None:
        await self._change(deleted=[id_], holder=holder, rows=[row], instead_of=id_)
        if not row.delay:
            self._tell({row.queue})

    async def release(self, id_: int, holder: int) -> None:
        await self._change(released=[id_], holder=holder)

    async def claim(self, queue: str, holder: int, limit: int, *, delayed: bool = False) -> Sequence[Row]:
        async def work() -> list[Row]:
            found = await self._db.fetch(_CLAIM_WAITING, holder, queue, limit)
            if delayed and len(found) < limit:
                found += await self._db.fetch(_CLAIM_DELAYED, holder, queue, limit - len(found))
            return sorted((Row(*row) for row in found), key=lambda row: (row.priority, row.id))

        rows: list[Row] = await self._run(work)
        return rows

    async def promote(self, queue: str) -> float | None:
        async def work() -> int | None:
            left: int | None = await self._db.fetchval(_NEXT_DUE, queue)
            if left is not None and left <= 0:
                await self._db.execute(_PROMOTE, queue)
                left = await self._db.fetchval(_NEXT_DUE, queue)
            return left

        left: int | None = await self._run(work)
        return None if left is None else max(left, 0) / 1000

    async def counts(self, queue: str) -> Counts:
        found: Sequence[int] = await self._run(lambda: self._db.fetchrow(_COUNTS, queue))
        return Counts(*found)

    # inside

    async def _prepare(self) -> None:
        """Create what is missing. A role without the right to do so can use tables that exist."""
        exist = "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL"
        if not await self._db.fetchval(exist, TABLE, _HOLDERS):
            async with self._db.transaction():
                await self._db.execute(_TABLES)
        if self._notify:
            await self._db.add_listener(_CHANNEL, self._on_notification)

    def _on_notification(self, _db: object, process: int, _channel: str, queue: str) -> None:
        if process != self._db.get_server_pid():  # its own watchers know
            self._tell({queue})

    def _tell(self, queues: set[str]) -> None:
        for watcher in self.watchers:
            if watcher.queue in queues:
                watcher.arrived()

    def _break(self, why: str) -> None:
        if self.broken:
            return
        self.broken = why
        for change in self._changes:
            _fail(change.done, BrokerError(why))
        for _call, future in self._calls:
            _fail(future, BrokerError(why))
        self._changes.clear()
        self._calls.clear()
        for watcher in list(self.watchers):
            watcher.broke(why)

    def _change(self, **fields: Any) -> asyncio.Future[None]:
        change = _Change(self._loop.create_future(), **fields)
        if self.broken:
            change.done.set_exception(BrokerError(self.broken))
        else:
            self._changes.append(change)
            self._queued.set()
        return change.done

    def _run(self, call: Callable[[], Awaitable[Any]]) -> asyncio.Future[Any]:
        future = self._loop.create_future()
        if self.broken:
            future.set_exception(BrokerError(self.broken))
        else:
            self._calls.append((call, future))
            self._queued.set()
        return future

    async def _work(self) -> None:
        """Execute what is queued: in turn all changes, and one call."""
        while not self.broken:
            await self._queued.wait()
            self._queued.clear()
            while self._changes or self._calls:
                if self._changes:
                    await self._apply(self._next_changes())
                if self._calls:
                    call, future = self._calls.popleft()
                    await self._execute([future], call)

    def _next_changes(self) -> list[_Change]:
        chosen = [self._changes.popleft()]
        size = _size(chosen[0])
        while self._changes and len(chosen) < _MOST_CALLS:
            size += _size(self._changes[0])
            if size > _MOST_BYTES:
                break
            chosen.append(self._changes.popleft())
        return chosen

    async def _apply(self, changes: list[_Change]) -> None:
        """One statement for all; if it fails, one for each."""
        statement = self._statement(changes)
        error = await self._execute([change.done for change in changes], statement, report=len(changes) == 1)
        if error is not None and len(changes) > 1:
            for change in changes:
                await self._execute([change.done], self._statement([change]))

    def _statement(self, changes: list[_Change]) -> Callable[[], Awaitable[Any]]:
        deleted = [(id_, change.holder) for change in changes for id_ in change.deleted]
        released = [(id_, change.holder) for change in changes for id_ in change.released]
        rows = [(*row, change.instead_of) for change in changes for row in change.rows]
        told = self._to_notify(Counter(row[0] for row in rows if not row[2])) if self._notify else []
        columns = [*_columns(deleted, 2), *_columns(released, 2), *_columns(rows, len(NewRow._fields) + 1)]
        return lambda: self._db.execute(_APPLY, *columns, told)

    def _to_notify(self, inserted: Mapping[str, int]) -> list[str]:
        """Queues with more new rows than the pipelines of this server claim at once. A notification with each push
        would cost a lone server up to half of its rate."""
        spare: Counter[str] = Counter()
        for watcher in self.watchers:
            spare[watcher.queue] += watcher.spare
        return sorted(queue for queue, count in inserted.items() if count > spare[queue])

    async def _execute(
        self, futures: Sequence[asyncio.Future[Any]], call: Callable[[], Awaitable[Any]], *, report: bool = True
    ) -> BrokerError | PushRefused | None:
        """Await a call; pass its result to the futures, and its error too, unless they are to be tried again."""
        wrong: BrokerError | PushRefused
        try:
            async with asyncio.timeout(self._lease):  # without an answer for so long, the lease has ended as well
                result = await call()
        except asyncio.CancelledError:  # the store is closed
            for future in futures:
                _fail(future, BrokerError(self.broken or "the connection is closed"))
            raise
        except Exception as error:  # also the client's own, such as InternalClientError after a lost connection
            wrong = self._error(error)
        else:
            for future in futures:
                if not future.done():
                    future.set_result(result)
            return None
        if report or self.broken:
            for future in futures:
                _fail(future, wrong)
            return None
        return wrong

    def _error(self, error: Exception) -> BrokerError | PushRefused:
        text, state = _text(error), getattr(error, "sqlstate", None) or ""
        if state.startswith(_BAD_JOB) or isinstance(error, asyncpg.DataError):
            return PushRefused(f"the database can't store the job: {text}")
        if state.startswith(_LOST) or not state or self._db.is_closed():
            text = "the database did not answer in time" if isinstance(error, TimeoutError) else text
            self._break(text)
            self._db.terminate()
        return BrokerError(text)


async def _nothing_to_do() -> None: ...


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _size(change: _Change) -> int:
    return sum(len(row.payload) + len(row.headers) for row in change.rows)


def _count(status: str) -> int:
    """The number at the end of a command tag such as ``UPDATE 3``."""
    return int(status.rpartition(" ")[2])


def _text(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _connect_error(error: Exception) -> BrokerError:
    state = getattr(error, "sqlstate", None) or ""
    text = (
        f"the database did not answer within {_CONNECT_TIMEOUT:g} s"
        if isinstance(error, TimeoutError)
        else _text(error)
    )
    if state.startswith(_REFUSED) or isinstance(error, ValueError | asyncpg.InterfaceError):
        return BrokerRefused(text)
    return BrokerError(text)
