"""gRPC for operators: metrics, health, interceptors, traces, reload and config check on the real ``rr serve``."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.request import urlopen

import grpc  # type: ignore[import-untyped]
import yaml

from support.fake_interceptor import install_interceptor
from support.grpc_site import GrpcSite, metadata_of, wait_until
from support.metrics import scrape
from support.otlp import HttpCollector
from support.php import require_php
from support.server import free_port, rr

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def test_metrics_status_and_workers_have_the_names_of_roadrunner(tmp_path: Path) -> None:
    metrics, status = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    sections = {"metrics": {"address": metrics}, "status": {"address": status}}
    with GrpcSite(tmp_path, workers=2, sections=sections) as site, site.client() as client:
        for _ in range(3):
            client.ask("Echo")
        client.fail("Error", b"99|:|strange")
        client.fail("Nothing")
        label = 'grpc_method="/test.Worker/Echo"'
        wait_until(lambda: scrape(metrics).get(f'rr_grpc_request_total{{{label},status_code="OK"}}') == 3)
        found = scrape(metrics)
        assert found['rr_grpc_request_total{grpc_method="/test.Worker/Error",status_code="Code(99)"}'] == 1
        assert found[f"rr_grpc_request_duration_seconds_count{{{label}}}"] == 3
        assert found["rr_grpc_requests_queue"] == 0
        assert found["rr_grpc_total_workers"] == 2
        assert not [name for name in found if "Nothing" in name]
        assert {"rr_grpc_workers_memory_bytes", "rr_grpc_workers_ready", "rr_grpc_workers_working"} <= set(found)
        for page in ("health", "ready"):
            with urlopen(f"http://{status}/{page}?plugin=grpc", timeout=20) as answer:
                assert answer.status == 200
        shown = rr("workers", "grpc", cwd=tmp_path)
        assert shown.code == 0
        assert shown.stdout.count("ready") == 2


def test_an_interceptor_sees_each_call(tmp_path: Path) -> None:
    with (
        GrpcSite(tmp_path, env=install_interceptor(tmp_path), interceptors=["tokens"]) as site,
        site.client() as client,
    ):
        error = client.fail("Echo")
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, "a token is needed")
        token = [("authorization", "Bearer secret")]
        response, call = client.call("Context", b"", token)
        assert json.loads(response)["context"]["x-user"] == ["7"]
        assert metadata_of(call.trailing_metadata()) == {"x-signed": ["1"]}
        plan = json.dumps({"frames": [["", "one"]], "end": ["", ""]}).encode()
        stream = client.stream("Frames", plan, metadata=token)
        assert list(stream) == [b"one"]
        assert metadata_of(stream.trailing_metadata()) == {"x-signed": ["1"]}


def test_a_call_is_traced_into_the_worker(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        otel = {"endpoint": collector.address, "insecure": True}
        env = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
        with GrpcSite(tmp_path, sections={"otel": otel}, env=env) as site, site.client() as client:
            sent = [("traceparent", f"00-{TRACE}-{PARENT}-01")]
            seen = json.loads(client.ask("Context", b"", sent))["context"]
            client.fail("Error", b"boom", sent)
            client.stream("Frames", b'{"frames":[["","one"]]}')
            spans = collector.wait_for("test.Worker/Context", "test.Worker/Error")
    span = spans["test.Worker/Context"]
    assert (span.trace, span.parent) == (TRACE, PARENT)
    assert seen["Traceparent"] == [f"00-{TRACE}-{span.own}-01"]
    assert seen["Uber-Trace-Id"] == [f"{TRACE}:{span.own}:0:1"]
    assert seen["traceparent"] == [f"00-{TRACE}-{PARENT}-01"]
    expected = {
        "rpc.system": "grpc",
        "rpc.service": "test.Worker",
        "rpc.method": "Context",
        "rpc.grpc.status_code": 0,
        "network.peer.address": "127.0.0.1",
    }
    assert span.attributes.items() >= expected.items()
    assert spans["test.Worker/Error"].attributes["rpc.grpc.status_code"] == 13


def test_a_reload_changes_the_pool(tmp_path: Path) -> None:
    with GrpcSite(tmp_path) as site, site.client() as client:
        site.config["grpc"]["pool"]["num_workers"] = 3
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(site.config, sort_keys=False))
        done = rr("reload", cwd=tmp_path)
        assert (done.code, done.stderr) == (0, "")
        site.wait_for_workers(3, "grpc")
        assert client.ask("Echo", b"x") == b"x"
        site.config["grpc"]["max_concurrent_streams"] = 3
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(site.config, sort_keys=False))
        assert "grpc.max_concurrent_streams" in rr("reload", cwd=tmp_path).stdout


def test_a_check_names_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        "version: '3'\n"
        f"server: {{command: {require_php()} worker.php}}\n"
        "grpc:\n"
        "  listen: 127.0.0.1:9001\n"
        "  max_recv_msg_size: -1\n"
        "  tls:\n"
        "    client_auth_type: sometimes\n"
    )
    done = rr("config", "check", cwd=tmp_path)
    assert done.code == 1
    output = done.stdout + done.stderr
    for place in (".rr.yaml:5", ".rr.yaml:7"):
        assert place in output
    for key in ("grpc.max_recv_msg_size", "grpc.tls.client_auth_type"):
        assert key in output


def test_an_unknown_interceptor_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        "version: '3'\n"
        f"server: {{command: {require_php()} worker.php}}\n"
        f"grpc: {{listen: '127.0.0.1:{free_port()}', interceptors: [auth]}}\n"
    )
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "grpc.interceptors.0: interceptor auth is not registered" in done.stderr


def test_in_debug_mode_each_call_and_each_stream_has_a_process_of_its_own(tmp_path: Path) -> None:
    with GrpcSite(tmp_path, pool={"debug": True}) as site, site.client() as client:
        assert client.ask("Pid") != client.ask("Pid")
        plan = json.dumps({"frames": [["", "one"], ["", ""]], "end": ["", "two"]}).encode()
        assert list(client.stream("Frames", plan)) == [b"one", b"", b"two"]


def test_the_pool_grows_while_calls_wait(tmp_path: Path) -> None:
    pool = {"dynamic_allocator": {"max_workers": 2, "spawn_rate": 2, "idle_timeout": "60s"}}
    with GrpcSite(tmp_path, pool=pool, max_concurrent_streams=10) as site, site.client() as client:
        gates = [tmp_path / f"gate{number}" for number in range(3)]
        calls = [client.later("Gate", str(gate).encode()) for gate in gates]
        site.wait_for_workers(3, "grpc")
        for gate in gates:
            gate.touch()
        assert len({call.result() for call in calls}) == 3
