"""The driver ``boltdb`` in a real server: what a local file must survive."""

from __future__ import annotations

import resource
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.job_runs import PATIENCE, WORKER, JobServer, Queue, Runs
from support.kv import KvClient
from support.php import require_php
from support.ports import free_port
from support.postgres import postgres_server
from support.proxies import block
from support.server import Server, rr

DOCS = Path(__file__).parent.parent.parent / "docs"


@contextmanager
def started(folder: Path, **sections: object) -> Iterator[JobServer]:
    folder.mkdir(exist_ok=True)
    server = JobServer(folder, sections)
    server.server.start().wait_for("RoadRunner server started")
    try:
        yield server
    finally:
        server.disconnect()
        server.server.kill()


def queue_in(server: JobServer, file: Path, name: str = "local", **options: object) -> Queue:
    return Queue(server, name, "boltdb", {"file": str(file), **options})


def fill(queue: Queue, accepted: list[str]) -> None:
    """Push jobs until one is refused; note each accepted one."""
    while len(accepted) < 1000:
        accepted.append(queue.push(b"x" * 5000))


def test_a_full_disk_is_an_error_of_the_push_and_loses_nothing(tmp_path: Path) -> None:
    file, unlimited = tmp_path / "jobs.db", resource.RLIM_INFINITY
    with started(tmp_path) as server:
        queue = queue_in(server, file)
        queue.declare(resume=False)
        accepted = [queue.push(b"x" * 5000)]
        resource.prlimit(server.server.pid, resource.RLIMIT_FSIZE, (300_000, unlimited))
        with pytest.raises(CallFailed) as refused:
            fill(queue, accepted)
        assert f"{file}: disk I/O error" in str(refused.value)  # "database or disk is full" without the limit's signal
        assert len(accepted) < 1000
        queue.resume()  # claims can't be written, either
        server.server.wait_for("jobs can't be received from the database; retrying")
        assert "disk I/O error" in queue.wait_stat(lambda found: found.error_message != "").error_message
        resource.prlimit(server.server.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        runs = Counter(run.id for run in queue.runs.wait([*accepted, queue.push()]))
        assert set(runs.values()) == {1}
        assert queue.wait_stat(lambda found: found.reserved == 0).error_message == ""


def test_waiting_and_delayed_jobs_survive_a_killed_server(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        queue = queue_in(server, tmp_path / "jobs.db")
        queue.declare(resume=False)
        pushed = time.time()
        waiting, late = queue.push(), queue.push(delay=4)
        again = queue.push(headers={"h": ["1", "2"]}, priority=3)
        server.server.kill()
    with started(tmp_path) as server:
        queue = queue_in(server, tmp_path / "jobs.db", concurrency=1)
        queue.declare()
        first, second, third = queue.runs.wait([again, waiting, late])
        assert [first.id, second.id, third.id] == [again, waiting, late]
        assert third.time - pushed > 3.9
        assert (first.headers, first.queue) == ({"h": ["1", "2"]}, "push")


def test_pipelines_and_storages_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rr.db"
    storage = {"driver": "boltdb", "config": {"file": str(file), "permissions": 0o640}}
    with started(tmp_path, kv={"disk": storage}) as server:
        queues = [queue_in(server, file, name, permissions=0o640) for name in ("one", "two")]
        for queue in queues:
            queue.declare()
        with KvClient(server.server.rpc, "disk") as kv:
            kv.set({"k": b"v"})
            for queue in queues:
                assert {run.pipeline for run in queue.runs.wait(queue.push_many([{}] * 20))} == {queue.name}
            assert kv.get("k") == {"k": b"v"}
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("rr.db*")}
        assert set(modes.values()) == {0o640}
        assert sum("-holder-" in name for name in modes) == 2
        assert server.server.stop() == 0
    assert [path.name for path in tmp_path.glob("rr.db*")] == ["rr.db"]


def test_the_mode_that_php_declares_is_a_decimal_number(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        queue_in(server, tmp_path / "php.db", "a", permissions="384").declare()
        queue_in(server, tmp_path / "octal.db", "b", permissions="0640").declare()
        assert stat.S_IMODE((tmp_path / "php.db").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "octal.db").stat().st_mode) == 0o640


def test_a_file_of_roadrunner_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rr.db").write_bytes(b"\0" * 16 + b"\xed\xda\x0c\xed" + b"\0" * 4076)
    with started(tmp_path) as server:
        queue = queue_in(server, tmp_path / "rr.db")
        refusal = "is a BoltDB file of RoadRunner and can't be read; set another `file`"
        with pytest.raises(CallFailed, match=refusal):
            queue.declare(resume=False)


@pytest.mark.parametrize("kind", ["boltdb", "sql"])
def test_two_servers_share_a_queue_and_the_jobs_of_a_killed_one(tmp_path: Path, kind: str) -> None:
    if kind == "boltdb":
        share(tmp_path, "boltdb", {"file": str(tmp_path / "jobs.db")}, {})
    else:
        with postgres_server(tmp_path) as postgres:
            share(tmp_path, "sql", {"queue": "shared"}, {"sql": {"dsn": postgres.dsn, "lease": "2s"}})


def share(folder: Path, driver: str, options: dict[str, str], sections: dict[str, object]) -> None:
    """Both consume; one is killed in the middle of its jobs: all jobs run, those that it held perhaps twice."""
    with started(folder / "one", **sections) as one, started(folder / "two", **sections) as two:
        first, second = (Queue(server, "shared", driver, {**options, "prefetch": 10}) for server in (one, two))
        first.declare()
        second.declare()
        quick = [id_ for _ in range(10) for queue in (first, second) for id_ in queue.push_many([{}] * 10)]
        runs = wait_for_both(first, second, quick)
        assert max(runs.values()) == 1
        slow = [id_ for _ in range(5) for queue in (first, second) for id_ in queue.push_many([{"sleep": 0.02}] * 10)]
        while len(first.runs.of(*slow)) < 5:
            time.sleep(0.01)
        one.server.kill()
        runs = wait_for_both(first, second, slow)
        assert sum(count - 1 for count in runs.values()) <= 10


def wait_for_both(first: Queue, second: Queue, ids: list[str]) -> Counter[str]:
    """Wait until each job ran on one of the servers; how often each did."""
    until = time.monotonic() + PATIENCE
    while True:
        runs = Counter(run.id for queue in (first, second) for run in queue.runs.of(*ids))
        if len(runs) == len(ids):
            return runs
        assert time.monotonic() < until, f"{len(ids) - len(runs)} jobs never ran"
        time.sleep(0.05)


def test_sqlite_is_a_database_of_the_driver_sql(tmp_path: Path) -> None:
    """Another program may insert jobs in its own transaction."""
    file = tmp_path / "app.db"
    with started(tmp_path, sql={"dsn": f"sqlite:///{file}"}) as server:
        queue = Queue(server, "outbox", "sql", {})
        queue.declare()
        (run,) = queue.run(b"{}")
        assert (run.driver, run.queue) == ("sql", "outbox")
        with sqlite3.connect(file) as db:
            db.execute("INSERT INTO rr_jobs (queue, job_id, payload) VALUES ('outbox', 'mine', '{}')")
        db.close()
        (run,) = queue.runs.wait(["mine"])
        assert (run.name, run.payload) == ("deduced_by_rr", b"{}")


def test_a_wrong_address_of_the_database_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        "version: '3'\nserver: {command: php worker.php}\nsql:\n  dsn: mysql://localhost\njobs: {}\n", encoding="utf-8"
    )
    checked = rr("config", "check", cwd=tmp_path)
    assert checked.code == 1
    assert ".rr.yaml:4" in checked.stderr + checked.stdout
    assert "sql.dsn" in checked.stderr + checked.stdout


def test_a_database_that_is_away_does_not_prevent_the_start(tmp_path: Path) -> None:
    with started(tmp_path, sql={"dsn": "postgresql://postgres@127.0.0.1:1/postgres"}) as server:
        queue = Queue(server, "away", "sql", {})
        queue.declare(resume=False)
        assert queue.wait_stat(lambda found: found.error_message != "").state == "connecting"


def test_the_config_of_the_page_of_boltdb_runs(tmp_path: Path) -> None:
    with page(tmp_path, "jobs-boltdb.md", {}) as (server, runs):
        with Jobs(RpcClient(server.rpc)) as jobs:
            id_ = jobs.push("mails", "send-mail", "{}")
        (run,) = runs.wait([id_])
        assert (run.pipeline, run.driver, run.name) == ("mails", "boltdb", "send-mail")
    assert (tmp_path / "jobs.db").exists()


def test_the_config_and_the_transaction_of_the_page_of_sql_run(tmp_path: Path) -> None:
    with postgres_server(tmp_path) as postgres:
        dsn = "postgresql://postgres@127.0.0.1:5432/postgres"
        with page(tmp_path, "jobs-sql.md", {dsn: postgres.dsn}) as (server, runs):
            until = time.monotonic() + PATIENCE
            with Jobs(RpcClient(server.rpc)) as jobs:
                while not any(one.ready for one in jobs.stats()):  # then the driver has created its table
                    assert time.monotonic() < until, server.stderr
                    time.sleep(0.02)
            postgres.sql(block(DOCS / "jobs-sql.md", "sql", {}))
            while not (found := runs.all()):
                assert time.monotonic() < until, server.stderr
                time.sleep(0.02)
            (run,) = found
            assert (run.name, run.payload, run.queue) == ("send-mail", b'{"to": "ada"}', "mails")
            assert postgres.sql("SELECT name FROM users") == "ada"


@contextmanager
def page(folder: Path, name: str, changes: dict[str, str]) -> Iterator[tuple[Server, Runs]]:
    """The first config of a page of the manual, on a free port and with the workers of the tests."""
    runs = Runs(folder / "runs")
    address = f"tcp://127.0.0.1:{free_port()}"
    changes = {"tcp://127.0.0.1:6001": address, "php worker.php": f"{require_php()} {WORKER}", **changes}
    config = yaml.safe_load(block(DOCS / name, "yaml", changes))
    config["server"]["env"] = {"RUNS": str(runs.path)}
    with Server(folder, config) as server:
        yield server, runs
        assert server.stop() == 0
