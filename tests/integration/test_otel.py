"""Traces of the real server, with real receivers: working, unreachable, hanging, recovering."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from support.http import Client, request, split
from support.otlp import GrpcCollector, HttpCollector, read_zipkin
from support.php import require_php
from support.pools import run
from support.server import Server, free_port

WORKER = Path(__file__).parent.parent / "support" / "workers" / "layers.php"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "50"}  # milliseconds between two exports
GONE = "traces can't be exported and are dropped; requests are not affected"


def serving(
    folder: Path,
    otel: dict[str, Any],
    middleware: Sequence[str] = ("otel",),
    env: dict[str, str] | None = None,
    grace: str = "30s",
) -> Server:
    return Server(
        folder,
        {
            "server": {"command": [require_php(), str(WORKER)]},
            "http": {
                "pool": {"num_workers": 1},
                "middleware": list(middleware),
                "headers": {"response": {"X-Out": "1"}},
            },
            "otel": otel,
            "logs": {"mode": "production", "output": "stderr"},
            "endure": {"grace_period": grace},
        },
        env=env if env is not None else QUICK,
    )


def otel_to(collector: HttpCollector) -> dict[str, Any]:
    return {"endpoint": collector.address, "insecure": True}


def ask(server: Server, target: str = "/", **headers: str) -> tuple[int, dict[str, list[str]], bytes]:
    async def main() -> bytes:
        client = Client(*await asyncio.open_connection(*server.address))
        await client.send(request("GET", target, **headers))
        answer = await client.rest()
        client.close()
        return answer

    return split(run(main()))


def otel_lines(server: Server) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "otel"]


def test_a_request_is_traced_into_the_worker(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        otel = {
            "endpoint": collector.address,
            "insecure": True,
            "compress": True,
            "custom_url": "/in/v1",
            "headers": {"X-Key": "secret"},
            "resource": {"service_name": "shop", "service_version": "7"},
        }
        with serving(tmp_path, otel, ["headers", "otel", "request_id"]) as server:
            _, _, body = ask(
                server, "/a?b=1", traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="v=1", baggage="user=7"
            )
            spans = collector.wait_for("/a?b=1", "headers", "http")
            server.wait_for('"msg":"http log"')
            assert f'"trace_id":"{TRACE}"' in server.stderr
    outer, inner, own = spans.values()
    assert [(span.trace, span.parent) for span in spans.values()] == [
        (TRACE, PARENT),
        (TRACE, outer.own),
        (TRACE, inner.own),
    ]
    assert outer.attributes.items() >= {"url.path": "/a", "http.response.status_code": 200}.items()
    assert outer.attributes["http.response.body.size"] == len(body)
    assert (
        outer.resource.items()
        >= {
            "service.name": "shop",
            "service.version": "7",
            "webengine.name": "RoadRunner",
            "os.name": "linux",
            "telemetry.sdk.language": "python",
        }.items()
    )
    seen = json.loads(body)["headers"]
    assert seen["Traceparent"] == [f"00-{TRACE}-{own.own}-01"]
    assert seen["Uber-Trace-Id"] == [f"{TRACE}:{own.own}:0:1"]
    assert (seen["Tracestate"], seen["Baggage"]) == (["v=1"], ["user=7"])
    path, headers, _ = collector.deliveries[0]
    assert path == "/in/v1"
    assert headers["x-key"] == "secret"
    assert headers["content-encoding"] == "gzip"


def test_the_last_traces_are_sent_at_the_end(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        with serving(tmp_path, otel_to(collector), env={}) as server:
            ask(server, "/last")
        assert server.exit_code == 0
        names = [span.name for delivery in collector.deliveries for span in delivery.spans]
    assert sorted(names) == ["/last", "http"]


def test_traces_are_exported_by_grpc(tmp_path: Path) -> None:
    with GrpcCollector() as collector:
        otel = {
            "client": "grpc",
            "endpoint": collector.address,
            "insecure": True,
            "compress": True,
            "headers": {"X-Key": "secret"},
        }
        with serving(tmp_path, otel) as server:
            ask(server, "/a", uber_trace_id=f"{TRACE}:{PARENT}:0:1")
            span = collector.wait_for("/a")["/a"]
    assert (span.trace, span.parent) == (TRACE, PARENT)
    assert span.resource["service.name"] == "RoadRunner"
    assert collector.deliveries[0].headers["x-key"] == "secret"


def test_the_environment_completes_the_section(tmp_path: Path) -> None:
    with GrpcCollector() as collector:
        env = {
            **QUICK,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.address}",
            "OTEL_SERVICE_NAME": "of-env",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=9,team=a",
        }
        with serving(tmp_path, {"service_name": "deprecated"}, env=env) as server:
            ask(server, "/a")
            resource = collector.wait_for("/a")["/a"].resource
            assert "is deprecated; use resource.service_name" in server.stderr
    assert (resource["service.name"], resource["service.version"], resource["team"]) == ("deprecated", "9", "a")


def test_a_failed_request_is_an_error(tmp_path: Path) -> None:
    with HttpCollector() as collector, serving(tmp_path, otel_to(collector)) as server:
        assert ask(server, "/headers")[0] == 500  # the worker's code fails: it wants a query
        span = collector.wait_for("/headers")["/headers"]
    assert span.error
    assert span.attributes["http.response.status_code"] == 500


def test_traces_are_exported_to_zipkin(tmp_path: Path) -> None:
    with HttpCollector(read_zipkin) as collector:
        otel = {"exporter": "zipkin", "endpoint": f"http://{collector.address}/api/v2/spans"}
        with serving(tmp_path, otel) as server:
            ask(server, "/a", traceparent=f"00-{TRACE}-{PARENT}-01")
            span = collector.wait_for("/a")["/a"]
    assert (span.trace, span.parent, span.resource["service.name"]) == (TRACE, PARENT, "RoadRunner")
    assert collector.deliveries[0].path == "/api/v2/spans"


@pytest.mark.parametrize("exporter", ["stdout", "stderr"])
def test_spans_are_lines_of_json(tmp_path: Path, exporter: str) -> None:
    with serving(tmp_path, {"exporter": exporter}) as server:
        ask(server, "/a", traceparent=f"00-{TRACE}-{PARENT}-01")
        server.wait_for('"parent_id"', times=2)
        lines = getattr(server, exporter).splitlines()
    spans = [json.loads(line) for line in lines if '"parent_id"' in line]
    assert [span["name"] for span in spans] == ["http", "/a"]
    assert spans[1]["context"]["trace_id"] == f"0x{TRACE}"


def test_an_unsampled_trace_is_not_exported_but_propagated(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        with serving(tmp_path, otel_to(collector)) as server:
            body = ask(server, "/not", traceparent=f"00-{TRACE}-{PARENT}-00")[2]
            ask(server, "/sent")
            collector.wait_for("/sent")
        names = {span.name for delivery in collector.deliveries for span in delivery.spans}
    assert names == {"/sent", "http"}
    [parent] = json.loads(body)["headers"]["Traceparent"]
    assert parent.startswith(f"00-{TRACE}-")
    assert parent.endswith("-00")


@pytest.mark.parametrize("client", ["http", "grpc"])
def test_an_unreachable_collector_is_logged_once_and_affects_no_request(tmp_path: Path, client: str) -> None:
    otel = {"client": client, "endpoint": f"127.0.0.1:{free_port()}", "insecure": True}
    # Seconds for all attempts of an export.
    env = {**QUICK, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}
    with serving(tmp_path, otel, env=env) as server:
        for _ in range(3):
            assert ask(server)[0] == 200
        server.wait_for(GONE)
        for _ in range(3):
            assert ask(server)[0] == 200
    assert server.exit_code == 0
    [line] = otel_lines(server)
    assert (line["level"], line["msg"]) == ("warn", GONE)
    assert "refused" in line["error"]


def test_a_collector_that_is_back_gets_traces_again(tmp_path: Path) -> None:
    port = free_port()
    otel = {"endpoint": f"127.0.0.1:{port}", "insecure": True}
    env = {**QUICK, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}
    with serving(tmp_path, otel, env=env) as server:
        ask(server, "/lost")
        server.wait_for(GONE)
        with HttpCollector(port=port) as collector:
            ask(server, "/back")
            collector.wait_for("/back")
            server.wait_for("traces are exported again")
    assert [line["msg"] for line in otel_lines(server)] == [GONE, "traces are exported again"]


def test_a_hanging_collector_delays_neither_requests_nor_the_stop(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        otel = {"endpoint": f"127.0.0.1:{silent.getsockname()[1]}", "insecure": True}
        with serving(tmp_path, otel, grace="1s") as server:
            assert ask(server)[0] == 200
            connection, _ = silent.accept()  # an export has begun, and will wait for ten seconds
            assert ask(server)[0] == 200
            assert server.stop() == 0
            connection.close()
    assert [line["msg"] for line in otel_lines(server)] == [
        "the last traces could not be exported in time and are dropped"
    ]


def test_a_malformed_reply_is_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as garbler:
        otel = {"endpoint": f"127.0.0.1:{garbler.getsockname()[1]}", "insecure": True}
        env = {**QUICK, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2.5"}
        with serving(tmp_path, otel, env=env) as server:
            assert ask(server)[0] == 200
            connection, _ = garbler.accept()
            connection.recv(65536)
            connection.sendall(b"\x00\xff garbage\r\n\r\n")
            connection.close()
            garbler.close()
            server.wait_for(GONE)
            assert ask(server)[0] == 200


def test_without_the_packages_the_start_fails_with_advice(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'opentelemetry'\", name=__name__)")
    server = serving(tmp_path, {}, env={"PYTHONPATH": str(hidden.parent)}).start()
    try:
        assert server.wait() == 1
        assert "error: otel: a Python package with the module `opentelemetry` is not installed;" in server.stderr
        assert "pip install 'pyroadrunner[otel]'" in server.stderr
    finally:
        server.kill()


def test_without_the_section_the_sdk_is_not_imported(tmp_path: Path) -> None:
    server = Server(
        tmp_path,
        {"server": {"command": [require_php(), str(WORKER)]}, "http": {"pool": {"num_workers": 1}}},
        env={"PYTHONPROFILEIMPORTTIME": "1"},
    )
    with server:
        assert "pyroadrunner.plugins.http" in server.stderr
        assert "opentelemetry" not in server.stderr


def test_if_disabled_by_the_environment_headers_are_passed_unchanged(tmp_path: Path) -> None:
    parent = f"00-{TRACE}-{PARENT}-01"
    with serving(tmp_path, {"exporter": "stdout"}, env={**QUICK, "OTEL_SDK_DISABLED": "true"}) as server:
        assert json.loads(ask(server, traceparent=parent)[2])["headers"]["Traceparent"] == [parent]
        server.stop()
        assert '"parent_id"' not in server.stdout


def test_settings_refused_by_the_library_are_reported(tmp_path: Path) -> None:
    env = {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "soon"}
    server = serving(tmp_path, {"client": "grpc"}, env=env).start()
    try:
        assert server.wait() == 1
        assert "otel: the OpenTelemetry library refuses the settings: " in server.stderr
        assert "soon" in server.stderr
        assert "Traceback" not in server.stderr
    finally:
        server.kill()


def test_settings_corrected_by_the_library_are_a_warning(tmp_path: Path) -> None:
    with serving(tmp_path, {"exporter": "stdout"}, env={"OTEL_TRACES_SAMPLER": "now_and_then"}) as server:
        pass
    assert any("now_and_then" in line["msg"] for line in otel_lines(server))
