"""``schedule`` in real servers: real workers, real commands, real Redis."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from pyroadrunner.sdk.rpc import RpcClient
from support import wall_clock
from support.php import require_php
from support.ports import free_port
from support.redis import RedisServer, redis_server
from support.server import Server, rr

HOUR = 3_600_000  # ms
PHP_WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
if (getenv('RR_MODE') === 'jobs') {
    PyRoadRunner\\Jobs\\JobsWorker::create()->run(static function (PyRoadRunner\\Jobs\\Task $task): void {
        fwrite(STDERR, "job {$task->name} {$task->payload} {$task->headers['rr_schedule_entry'][0]}\\n");
    });
    exit;
}
PyRoadRunner\\Http\\Server::run(static function (PyRoadRunner\\Http\\Request $request): mixed {
    if (str_ends_with($request->uri, '/fails')) {
        throw new RuntimeException('no database');
    }
    if (str_ends_with($request->uri, '/slow')) {
        sleep(3);
    }
    if (str_ends_with($request->uri, '/body')) {
        return new PyRoadRunner\\Http\\Response(400, $request->body);
    }
    if (str_ends_with($request->uri, '/pid')) {
        return new PyRoadRunner\\Http\\Response(400, (string) getmypid());
    }
    $line = "{$request->attributes['schedule_entry']} {$request->attributes['schedule_time']}\\n";
    file_put_contents('ran.txt', $line, FILE_APPEND | LOCK_EX);
    return 'done';
});
"""
PYTHON_WORKER = """
import os, sys
from pyroadrunner.sdk import http
from pyroadrunner.sdk.jobs import Handlers, Task

handlers = Handlers()

@handlers.job("send")
def send(task: Task) -> None:
    print("job", task.name, task.payload.decode(), task.headers["rr_schedule_entry"][0], file=sys.stderr)

def handle(request):
    with open("ran.txt", "a") as file:
        file.write(f"{request.attributes['schedule_entry']} {request.attributes['schedule_time']}\\n")
    return 204, {}, ""

handlers.serve() if os.environ["RR_MODE"] == "jobs" else http.serve(handle)
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_server(folder) as server:
        yield server


class Ran:
    """The file to which workers and commands append what they have done: ``ENTRY TIME`` per line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def counts(self) -> Counter[str]:
        text = self.path.read_text() if self.path.exists() else ""
        return Counter(text.split("\n")[:-1])

    def wait(self, done: Callable[[Counter[str]], bool], timeout: float = 60.0) -> Counter[str]:
        deadline = time.monotonic() + timeout
        while not done(found := self.counts()):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


def command_entry(ran: Path, before: str = "") -> dict[str, Any]:
    """A command that appends its entry and time. A script, since the config expands a `$`."""
    mark = f'echo "$RR_SCHEDULE_ENTRY $RR_SCHEDULE_TIME" >> "{ran}"'
    return {"command": ["sh", script(ran, f"{before}\n{mark}\n")]}


def script(ran: Path, text: str) -> str:
    path = ran.with_name(f"script-{zlib.crc32(text.encode())}.sh")
    path.write_text(text)
    return str(path)


def server(folder: Path, schedule: dict[str, Any], offset: Path | None = None, **sections: Any) -> Server:
    folder.mkdir(exist_ok=True)
    launcher = (sys.executable, wall_clock.__file__, str(offset)) if offset is not None else ()
    return Server(folder, {"schedule": schedule, **sections}, launcher=launcher)


def call(one: Server, method: str, argument: Any = True) -> Any:
    with RpcClient(one.rpc) as client:
        return client.call(f"schedule.{method}", argument)


def clock(folder: Path, name: str, ahead: int) -> Path:
    file = folder / name
    file.write_text(str(ahead))
    return file


def step(file: Path, ahead: int) -> None:
    other = file.with_suffix(".new")
    other.write_text(str(ahead))
    other.replace(file)


# -- each run once -----------------------------------------------------------------------------------------------------


def test_two_servers_on_one_redis_run_a_hundred_entries_once_although_their_clocks_differ_and_jump(
    tmp_path: Path, redis: RedisServer
) -> None:
    """Clocks differ by three seconds. Then both are set forward an hour, later back again."""
    entries = {f"e{n}": {"cron": f"*/{n % 3 + 2} * * * * *", "http": {"path": "/"}} for n in range(100)}
    section = {"driver": "redis", "config": {"addrs": redis.address}, "entries": entries, "history": 5}
    clocks = [clock(tmp_path, "one.clock", 1500), clock(tmp_path, "other.clock", -1500)]
    ran = Ran(tmp_path / "ran.txt")
    with ExitStack() as stack:
        for number, offset in enumerate(clocks):
            folder = tmp_path / f"server{number}"
            folder.mkdir()
            (folder / "worker.php").write_text(PHP_WORKER.replace("'ran.txt'", f"'{ran.path}'"))
            sections = {"server": {"command": f"{require_php()} worker.php"}, "http": {"pool": {"num_workers": 2}}}
            stack.enter_context(server(folder, section, offset, **sections))
        hours = len({line.split("T")[1][:2] for line in ran.wait(lambda found: len(found) >= 300)})
        for offset, ahead in zip(clocks, (1500, -1500), strict=True):
            step(offset, HOUR + ahead)
        many = len(ran.counts())
        ran.wait(lambda found: len(found) >= many + 300)
        for offset, ahead in zip(clocks, (1500, -1500), strict=True):
            step(offset, ahead)
        many = len(ran.counts())
        found = ran.wait(lambda found: len(found) >= many + 300)
        assert len({line.split("T")[1][:2] for line in found}) > hours
    found = ran.counts()
    assert {line: count for line, count in found.items() if count > 1} == {}
    assert len({line.split()[0] for line in found}) == 100


def test_a_server_that_is_killed_in_mid_run_repeats_nothing_and_the_other_goes_on(
    tmp_path: Path, redis: RedisServer
) -> None:
    ran = Ran(tmp_path / "ran.txt")
    section = {
        "driver": "redis",
        "config": {"addrs": redis.address},
        "entries": {
            "long": {
                "interval": "1h",
                "catch_up": "all",
                "command": ["sh", "-c", f"echo long >> {ran.path}; sleep 60"],
            },
            "often": {"interval": "1s", **command_entry(ran.path)},
        },
    }
    offset = clock(tmp_path, "clock", 0)
    with server(tmp_path / "one", section, offset) as one, server(tmp_path / "other", section, offset) as other:
        now = time.time_ns() // 1_000_000
        step(offset, HOUR - now % HOUR - 500)  # half a second before the full hour
        ran.wait(lambda found: found["long"] == 1)
        runs = call(one, "History", {"entries": ["long"], "count": 1})
        victim, survivor = (one, other) if str(one.pid) in runs[0]["server"] else (other, one)
        victim.kill()
        many = len(ran.counts())
        ran.wait(lambda found: len(found) >= many + 3)
        assert call(survivor, "List")
        step(offset, HOUR - now % HOUR + 60_000)  # its lease is over
        [run] = call(survivor, "History", {"entries": ["long"], "count": 5})
        assert (run["outcome"], run["id"]) == ("interrupted", runs[0]["id"])
        with server(tmp_path / "one", section, offset):
            many = len(ran.counts())
            ran.wait(lambda found: len(found) >= many + 2)
    assert ran.counts()["long"] == 1
    assert [line for line, count in ran.counts().items() if count > 1] == []


def test_a_restart_with_a_file_repeats_nothing_and_does_what_became_due_meanwhile(tmp_path: Path) -> None:
    ran = Ran(tmp_path / "ran.txt")
    offset = clock(tmp_path, "clock", 0)
    entries = {"hourly": {"cron": "0 * * * *", **command_entry(ran.path)}, "old": {"interval": "1s", "command": "true"}}
    section = {"driver": "file", "entries": entries}
    before = HOUR - time.time_ns() // 1_000_000 % HOUR
    step(offset, before - 10_000)
    with server(tmp_path / "one", section, offset) as one:
        while not call(one, "History", {"entries": ["old"]}):
            time.sleep(0.05)
    step(offset, before + 10_000)  # the full hour is over, by less than a minute
    with server(tmp_path / "one", section, offset) as one:
        ran.wait(lambda found: len(found) == 1)
        assert [run["outcome"] for run in call(one, "History", {"entries": ["hourly"]})] in (["ok"], ["running"])
    with server(tmp_path / "one", section, offset):
        pass
    assert list(ran.counts().values()) == [1]


def test_a_server_that_executes_itself_again_runs_nothing_twice(tmp_path: Path) -> None:
    """SIGUSR2: for a moment two processes have the same schedule."""
    ran = Ran(tmp_path / "ran.txt")
    section = {"driver": "file", "entries": {"often": {"interval": "1s", **command_entry(ran.path)}}}
    with server(tmp_path / "one", section, endure={"retirement": "1s"}) as one:
        ran.wait(lambda found: len(found) >= 2)
        one.send(signal.SIGUSR2)
        one.wait_for("RoadRunner server started", times=2)
        many = len(ran.counts())
        ran.wait(lambda found: len(found) >= many + 3)
    found = ran.counts()
    assert set(found.values()) == {1}
    seconds = sorted(int(line[-14:-12]) * 60 + int(line[-8:-6]) for line in found)
    assert len(seconds) == len(found)


# -- actions -----------------------------------------------------------------------------------------------------------


def wait_for_outcome(one: Server, entry: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        for run in call(one, "History", {"entries": [entry]}):
            if run["outcome"] != "running":
                return dict(run)
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("language", ["php", "python"])
def test_workers_get_jobs_and_requests(tmp_path: Path, language: str) -> None:
    if language == "php":
        (tmp_path / "worker.php").write_text(PHP_WORKER)
        command = f"{require_php()} worker.php"
    else:
        (tmp_path / "worker.py").write_text(PYTHON_WORKER)
        command = f"{sys.executable} worker.py"
    entries = {
        "mail": {"interval": "1s", "job": {"pipeline": "mails", "name": "send", "payload": "hello"}},
        "web": {"interval": "1s", "http": {"path": "/cron", "method": "POST", "body": "x"}},
        "broken": {"interval": "1s", "job": {"pipeline": "nope", "name": "send"}},
    }
    jobs = {"consume": ["mails"], "pool": {"num_workers": 1}, "pipelines": {"mails": {"driver": "memory"}}}
    sections = {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}, "jobs": jobs}
    with server(tmp_path, {"entries": entries}, **sections) as one:
        one.wait_for("job send hello mail")
        found = Ran(tmp_path / "ran.txt").wait(lambda found: len(found) > 0)
        assert all(line.startswith("web ") for line in found)
        assert wait_for_outcome(one, "web")["detail"] in ("status 200", "status 204")
        assert wait_for_outcome(one, "mail")["detail"].startswith("pushed ")
        assert wait_for_outcome(one, "broken")["detail"] == "no such pipeline, requested: nope"


def test_a_response_that_is_an_error_is_a_failed_run(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(PHP_WORKER)
    section = {"entries": {"web": {"interval": "1s", "http": {"path": "/fails"}}}}
    sections = {"server": {"command": f"{require_php()} worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with server(tmp_path, section, **sections) as one:
        run = wait_for_outcome(one, "web")
        assert run["outcome"] == "failed"
        assert run["detail"].startswith("status 500")
        one.wait_for("run has failed")


def test_a_request_that_takes_too_long_is_given_up_and_its_worker_finishes_it(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(PHP_WORKER)
    entries = {
        "slow": {"interval": "1h", "timeout": "1s", "http": {"path": "/slow"}},
        "fast": {"interval": "1h", "http": {"path": "/"}},
    }
    sections = {"server": {"command": f"{require_php()} worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with server(tmp_path, {"entries": entries}, **sections) as one:
        assert call(one, "Run", {"entry": "slow"})["detail"] == "took longer than 1 s"
        assert call(one, "Run", {"entry": "fast"})["outcome"] == "ok"


def test_a_request_goes_to_the_pool_of_its_route(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(PHP_WORKER)
    route = {"match": "/cron/*", "pool": {"num_workers": 1}}
    http = {"pool": {"num_workers": 1}, "routes": [route]}
    section = {"entries": {"web": {"interval": "1h", "http": {"path": "/cron/pid"}}}}
    with server(tmp_path, section, server={"command": f"{require_php()} worker.php"}, http=http) as one:
        with RpcClient(one.rpc) as client:
            workers = client.call("informer.WorkerDetails", "http")["workers"]
        [pid] = [worker["pid"] for worker in workers if worker["pool"] == "http.cron"]
        assert call(one, "Run", {"entry": "web"})["detail"] == f"status 400: {pid}"


def test_an_action_needs_its_section(tmp_path: Path) -> None:
    config = {
        "version": "3",
        "rpc": {"listen": f"tcp://127.0.0.1:{free_port()}"},
        "schedule": {"entries": {"mail": {"cron": "@daily", "job": {"pipeline": "p", "name": "n"}}}},
    }
    (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(config))
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "schedule.entries.mail.job: needs the section `jobs`" in done.stderr


# -- operation ---------------------------------------------------------------------------------------------------------


def test_a_stop_lets_a_running_action_end_within_the_grace_period(tmp_path: Path) -> None:
    ran = Ran(tmp_path / "ran.txt")
    entry = {"interval": "1s", **command_entry(ran.path, before=f"echo begun >> {ran.path}; sleep 1;")}
    with server(tmp_path / "one", {"driver": "file", "entries": {"long": entry}}) as one:
        ran.wait(lambda found: found["begun"] >= 1)
        assert one.stop() == 0
    assert sum(ran.counts().values()) == 2 * ran.counts()["begun"]


def test_an_action_that_does_not_end_in_the_grace_period_is_ended(tmp_path: Path) -> None:
    ran = Ran(tmp_path / "ran.txt")
    stubborn = script(ran.path, f"echo $$ >> {ran.path}; trap '' TERM; sleep 60; sleep 60")
    entry = {"interval": "1s", "command": ["sh", stubborn]}
    section = {"driver": "file", "entries": {"long": entry}}
    with server(tmp_path / "one", section, endure={"grace_period": "2s"}) as one:
        [pid] = ran.wait(lambda found: len(found) == 1)
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 30
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    with server(tmp_path / "one", {**section, "entries": {"long": {**entry, "interval": "1h"}}}) as one:
        runs = call(one, "History", {"entries": ["long"], "count": 10})
    assert ("failed", "the server stopped") in [(run["outcome"], run["detail"]) for run in runs]


def test_a_reload_changes_entries_and_keeps_the_others(tmp_path: Path) -> None:
    ran = Ran(tmp_path / "ran.txt")
    entries: dict[str, Any] = {
        "kept": {"interval": "1s", **command_entry(ran.path)},
        "changed": {"interval": "1h", **command_entry(ran.path)},
        "gone": {"interval": "1h", "command": "true"},
    }
    with server(tmp_path / "one", {"entries": entries}) as one:
        ran.wait(lambda found: len(found) >= 1)
        entries["changed"]["interval"] = "1s"
        entries["new"] = {"interval": "1s", **command_entry(ran.path)}
        del entries["gone"]
        (one.folder / ".rr.yaml").write_text(yaml.safe_dump({**one.config, "schedule": {"entries": entries}}))
        done = rr("reload", cwd=one.folder)
        assert done.code == 0, done
        ran.wait(lambda found: {line.split()[0] for line in found} == {"kept", "changed", "new"})
        assert {entry["entry"] for entry in call(one, "List")} == {"kept", "changed", "new"}
        entries["new"]["cron"] = "99 * * * *"
        del entries["new"]["interval"]
        (one.folder / ".rr.yaml").write_text(yaml.safe_dump({**one.config, "schedule": {"entries": entries}}))
        refused = rr("reload", cwd=one.folder)
        assert refused.code == 1
        assert 'schedule.entries.new.cron: "99 * * * *": bad minute "99" (field 1 of 5)' in refused.stderr
    assert set(ran.counts().values()) == {1}


def test_a_request_follows_a_reload_of_http(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(PHP_WORKER)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    action = {"path": "/body", "method": "POST", "body": "a=1", "headers": form}
    section = {"entries": {"web": {"interval": "1h", "http": action}}}
    sections = {"server": {"command": f"{require_php()} worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with server(tmp_path, section, **sections) as one:
        assert call(one, "Run", {"entry": "web"})["detail"] == 'status 400: {"a":"1"}'
        http = {**one.config["http"], "raw_body": True}
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump({**one.config, "http": http}))
        assert rr("reload", cwd=tmp_path).code == 0
        assert call(one, "Run", {"entry": "web"})["detail"] == "status 400: a=1"


def test_a_redis_that_is_away_stops_the_schedule_and_readiness_only(tmp_path: Path, redis: RedisServer) -> None:
    ran = Ran(tmp_path / "ran.txt")
    section = {
        "driver": "redis",
        "config": {"addrs": redis.address, "max_retries": -1},
        "entries": {"often": {"interval": "1s", **command_entry(ran.path)}},
    }
    status = f"127.0.0.1:{free_port()}"
    redis.program.kill()
    with server(tmp_path / "one", section, status={"address": status}) as one:
        one.wait_for("the store does not answer; nothing runs until it does")
        with pytest.raises(HTTPError) as unready:
            urlopen(f"http://{status}/ready?plugin=schedule", timeout=60)
        unready.value.close()
        urlopen(f"http://{status}/health?plugin=schedule", timeout=60).close()
        assert ran.counts() == {}
        redis.program.start()
        one.wait_for("the store is back")
        ran.wait(lambda found: len(found) >= 2)
        urlopen(f"http://{status}/ready?plugin=schedule", timeout=60).close()
    assert set(ran.counts().values()) == {1}


def test_the_commands_and_the_metrics(tmp_path: Path) -> None:
    entries = {
        "good": {"cron": "0 3 * * *", "timezone": "Europe/Berlin", "command": "true"},
        "bad": {"interval": "24h", "command": "sh -c 'exit 3'"},
    }
    metrics = f"127.0.0.1:{free_port()}"
    with server(tmp_path, {"entries": entries}, metrics={"address": metrics}) as one:
        good = rr("schedule", "run", "good", cwd=tmp_path)
        assert (good.code, good.stdout.split(" after ")[0]) == (0, "good: ok")
        bad = rr("schedule", "run", "bad", "--json", cwd=tmp_path)
        assert (bad.code, json.loads(bad.stdout)["detail"]) == (1, "exit status 3")
        listed = rr("schedule", "list", cwd=tmp_path).stdout
        assert "0 3 * * * Europe/Berlin" in listed
        assert "03:00:00 CE" in listed
        found = json.loads(rr("schedule", "list", "--json", cwd=tmp_path).stdout)
        assert {entry["entry"]: entry["last"]["outcome"] for entry in found} == {"good": "ok", "bad": "failed"}
        times = json.loads(rr("schedule", "next", "good", "--count", "3", "--json", cwd=tmp_path).stdout)
        assert len(times) == 3
        assert "good" in rr("schedule", "next", cwd=tmp_path).stdout
        shown = rr("schedule", "history", cwd=tmp_path).stdout
        assert "exit status 3" in shown
        assert "manual" in shown
        assert [
            run["entry"] for run in json.loads(rr("schedule", "history", "bad", "--json", cwd=tmp_path).stdout)
        ] == ["bad"]
        nope = rr("schedule", "run", "nope", cwd=tmp_path)
        assert nope.code == 1
        assert "no such entry of schedule: nope; there are: bad, good" in nope.stderr
        assert rr("schedule", "run", cwd=tmp_path).code == 1
        assert rr("schedule", "next", "--count", "x", cwd=tmp_path).code == 1
        with urlopen(f"http://{metrics}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        assert 'rr_schedule_runs_total{entry="good",outcome="ok"} 1' in text
        assert 'rr_schedule_runs_total{entry="bad",outcome="failed"} 1' in text
        assert 'rr_schedule_run_seconds_count{entry="good"} 1' in text
        assert "rr_schedule_store_connected 1" in text
        assert one.stop() == 0


def test_a_bad_config_is_named_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        'version: "3"\nschedule:\n  entries:\n    report:\n      cron: "0 25 * * *"\n      command: "true"\n'
    )
    done = rr("config", "check", cwd=tmp_path)
    assert done.code == 1
    assert (
        '.rr.yaml:5: schedule.entries.report.cron: "0 25 * * *": bad hour "25" (field 2 of 5); allowed are 0-23'
        in done.stdout + done.stderr
    )
