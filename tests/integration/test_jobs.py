"""Jobs in a whole server: probes, metrics, the start without a broker, errors of the config."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc import RpcClient
from support.job_drivers import OpenHost, job, on_the_loop
from support.job_runs import WORKER, Runs
from support.metrics import scrape
from support.packages import EXAMPLES, installed
from support.php import require_php
from support.server import Server, free_port, rr

DRIVER = EXAMPLES / "jobs-driver-folder"


def config(folder: Path, **jobs: Any) -> dict[str, Any]:
    """A server with probes and metrics."""
    return {
        "server": {"command": f"{require_php()} {WORKER}", "env": {"RUNS": str(folder / "runs")}},
        "status": {"address": f"127.0.0.1:{free_port()}"},
        "metrics": {"address": f"127.0.0.1:{free_port()}"},
        "jobs": {"pool": {"num_workers": 1}, **jobs},
    }


def probe(server: Server, path: str) -> tuple[int, Any]:
    try:
        with urlopen(f"http://{server.config['status']['address']}{path}", timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_example_driver_forgets_no_job_when_its_folder_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of taking several jobs: they are delivered, or waiting again."""
    monkeypatch.syspath_prepend(DRIVER / "src")
    module = import_module("rr_jobs_folder.driver")
    settings = import_module("rr_jobs_folder.config")

    def away(_path: Path) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    @on_the_loop
    async def scene() -> None:
        host = OpenHost()
        driver = module.FolderDriver(host, settings.FolderConfig(path=str(tmp_path), queue="q"))
        await driver.connect()
        driver.push([job(str(number)) for number in range(3)])
        real, reads = Path.read_bytes, iter([Path.read_bytes, away])
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", lambda path: next(reads, real)(path))
            await driver.consume()
            assert await host.wait_lost()
            await driver.disconnect()
        await driver.connect()
        await driver.consume()
        assert {found.job.id for found in await host.wait(3)} == {"0", "1", "2"}
        await driver.disconnect()

    scene()


def test_probes_and_metrics(tmp_path: Path) -> None:
    pipelines = {"p": {"driver": "memory", "config": {"priority": 5}}, "q": {"driver": "memory"}}
    with Server(tmp_path, config(tmp_path, consume=["p"], pipelines=pipelines)) as server:
        status, found = probe(server, "/jobs")
        assert status == 200
        assert found[0] == {
            "pipeline": "p",
            "priority": 5,
            "ready": True,
            "queue": "p",
            "active": 0,
            "delayed": 0,
            "reserved": 0,
            "driver": "memory",
            "error_message": "",
            "state": "ready",
        }
        assert [(one["pipeline"], one["ready"]) for one in found] == [("p", True), ("q", False)]
        runs = Runs(tmp_path / "runs")
        with Jobs(RpcClient(server.rpc)) as jobs:
            blocked = jobs.push("p", "Job", json.dumps({"wait": str(tmp_path / "go")}))
            runs.wait([blocked])
            assert probe(server, "/ready?plugin=jobs")[0] == 200
            assert probe(server, "/health?plugin=jobs")[0] == 200
            (tmp_path / "go").touch()
            runs.wait([jobs.push("p", "Job")])
            while jobs.stats()[0].active:
                pass
        samples = scrape(server.config["metrics"]["address"])
        assert samples["rr_jobs_jobs_ok"] == samples["rr_jobs_push_ok"] == 2
        assert samples["rr_jobs_total_workers"] == 1
        assert samples['rr_jobs_requests_total{driver="memory",job="p",source="single"}'] == 2
        assert samples['rr_jobs_push_latency_count{driver="memory",job="p",source="single"}'] == 2
        assert samples['rr_jobs_run_seconds_count{driver="memory",pipeline="p"}'] == 2


def test_a_server_without_its_broker_starts_and_says_so(tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(installed(DRIVER))}
    away = tmp_path / "away"
    pipelines = {"p": {"driver": "folder", "config": {"path": str(away)}}}
    with Server(tmp_path, config(tmp_path, consume=["p"], pipelines=pipelines), env=env) as server:
        server.wait_for("pipeline has no connection to its broker; retrying")
        status, (found,) = probe(server, "/jobs")
        assert (status, found["state"], found["error_message"]) == (503, "connecting", f"{away}: no such folder")
        assert probe(server, "/ready?plugin=jobs")[0] == 503
        assert probe(server, "/health?plugin=jobs")[0] == 200
        listed = rr("jobs", "list", cwd=tmp_path)
        assert (listed.code, "connecting" in listed.stdout, "no such folder" in listed.stdout) == (1, True, True)
        away.mkdir()
        runs = Runs(tmp_path / "runs")
        with Jobs(RpcClient(server.rpc)) as jobs:
            runs.wait([jobs.push("p", "Job")])
        assert probe(server, "/ready?plugin=jobs")[0] == 200


def test_require_brokers_refuses_to_start(tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(installed(DRIVER))}
    pipelines = {"p": {"driver": "folder", "config": {"path": "away"}}}
    server = Server(tmp_path, config(tmp_path, require_brokers=True, pipelines=pipelines), env=env).start()
    try:
        assert server.wait() == 1
        assert "jobs.require_brokers is set, and these pipelines have no connection:" in server.stderr
        assert "p: away: no such folder" in server.stderr
    finally:
        server.kill()


def test_errors_of_the_config_name_file_line_and_key(tmp_path: Path) -> None:
    text = """\
version: "3"
server: {command: php worker.php}
jobs:
  consume: [p]
  pipelines:
    p:
      driver: memori
    q:
      config: {}
    r:
      driver: memory
      dead_letter: nowhere
      config:
        prefetch: many
        prefech: 1
"""
    (tmp_path / ".rr.yaml").write_text(text, "utf-8")
    found = rr("config", "check", cwd=tmp_path)
    assert found.code == 1
    lines = (found.stdout + found.stderr).splitlines()
    assert '.rr.yaml:7: jobs.pipelines.p.driver: unknown driver "memori"; `jobs.pipelines.p` is ignored; ' in lines[0]
    assert any(line.startswith(".rr.yaml:8: jobs.pipelines.q.driver: is required") for line in lines)
    assert any('.rr.yaml:14: jobs.pipelines.r.config.prefetch: is "many"' in line for line in lines)
    assert any(
        ".rr.yaml:15: jobs.pipelines.r.config.prefech: unknown key; did you mean `prefetch`?" in line for line in lines
    )


def test_the_schema_describes_the_drivers(tmp_path: Path) -> None:
    schema = json.loads(rr("config", "schema", cwd=tmp_path, env={"PYTHONPATH": str(installed(DRIVER))}).stdout)
    kinds = schema["properties"]["jobs"]["properties"]["pipelines"]["additionalProperties"]["anyOf"]
    found = {kind["properties"]["driver"]["const"]: kind["properties"]["config"] for kind in kinds}
    assert set(found) >= {"memory", "folder"}
    assert found["folder"]["properties"]["prefetch"]["description"] == "Jobs that may wait for a worker or run."
    assert found["folder"]["required"] == ["path"]
