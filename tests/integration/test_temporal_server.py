"""The ``temporal`` plugin: RPC, options of workers, connections, metrics."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
import trustme
import yaml
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.service import RPCError

from pyroadrunner.proto.temporal.v1.protocol_pb2 import History, ReplayRequest, ReplayResponse
from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.brokers import Brokers
from support.php import require_php
from support.ports import free_port
from support.server import Server, rr
from support.temporal import LIMIT, WORKER, Runs, options, running, shared_temporal, task_queue, worker_config

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def address(brokers: Brokers) -> str:
    return str(brokers.use("temporal", shared_temporal)["address"])


def call(server: Server, method: str, argument: Any) -> Any:
    with RpcClient(server.rpc) as client:
        return client.call(method, argument, timeout=LIMIT)


class WithHeader(Interceptor):
    """Adds a header to started workflows."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
                payload = Payload(metadata={"encoding": b"json/plain"}, data=b'"told"')
                input.headers = {**input.headers, "who": payload}
                return await super().start_workflow(input)

        return Outbound(next)


def test_rpc(tmp_path: Path, address: str) -> None:
    token = tmp_path / "token"

    async def check() -> None:
        async with running(tmp_path, address, env={"TOKEN_FILE": str(token)}) as runs:
            server = runs.server
            assert "upper" in call(server, "temporal.GetActivityNames", True)
            assert {"echo", "signals"} <= set(call(server, "temporal.GetWorkflowNames", True))
            with pytest.raises(CallFailed, match="heartbeat on non running activity"):
                call(server, "temporal.RecordActivityHeartbeat", {"taskToken": "eA==", "details": ""})
            with pytest.raises(CallFailed, match="invalid heartbeat"):
                call(server, "temporal.RecordActivityHeartbeat", {"taskToken": "?", "details": ""})
            with pytest.raises(CallFailed, match="empty"):
                call(server, "temporal.UpdateAPIKey", "")
            assert call(server, "temporal.UpdateAPIKey", "secret") is True

            handle = await runs.start("asynchronous")
            async with asyncio.timeout(LIMIT):
                while not token.exists() or not token.read_text():  # noqa: ASYNC110 - PHP writes it
                    await asyncio.sleep(0.05)
            task = runs.client.get_async_activity_handle(task_token=base64.b64decode(token.read_text()))
            await task.heartbeat("alive")
            await task.complete("from elsewhere")
            assert await runs.result(handle) == "from elsewhere"

            intercepted = Client(runs.client.service_client, interceptors=[WithHeader()])
            found = await Runs(intercepted, runs.queue, server).run("headers")
            assert found == {"workflow": {"who": "told"}, "activity": {"who": "told"}}

            found = await asyncio.to_thread(call, server, "informer.Jobs", "temporal")
            assert [(one["Pipeline"], one["State"]) for one in found] == [
                (runs.queue, "ready"),
                (f"{runs.queue}-2", "ready"),
            ]
            assert "temporal" in call(server, "resetter.List", True)
            assert len(server.workers("temporal")) == 3, "two for activities, one for workflows"
            config = yaml.safe_load((tmp_path / ".rr.yaml").read_text("utf-8"))
            config["temporal"]["activities"]["num_workers"] = 3
            (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(config), "utf-8")
            assert (await asyncio.to_thread(rr, "reload", cwd=tmp_path)).code == 0
            await asyncio.to_thread(server.wait_for_workers, 4, "temporal")
            await check_replays(runs, tmp_path)

    asyncio.run(check())


async def check_replays(runs: Runs, folder: Path) -> None:
    handle = await runs.start("side-effects")
    await runs.result(handle)
    saved = folder / "history.json"

    def ask(method: str, message: Any) -> tuple[int, str]:
        with RpcClient(runs.server.rpc) as client:
            response = client.call_message(f"temporal.{method}", message, ReplayResponse, timeout=LIMIT)
        return response.status.code, response.status.message

    def request(**fields: Any) -> ReplayRequest:
        message = ReplayRequest(save_path=fields.get("save_path", ""), last_event_id=fields.get("last_event_id", 0))
        message.workflow_type.name = fields.get("kind", "side-effects")
        message.workflow_execution.workflow_id = fields.get("workflow_id", handle.id)
        message.workflow_execution.run_id = fields.get("run_id", handle.first_execution_run_id)
        return message

    expected: list[tuple[str, Any, int]] = [
        ("ReplayWorkflow", request(), 0),
        ("ReplayWorkflow", request(run_id=""), 3),
        ("ReplayWorkflow", request(run_id="01a22b77-0000-7000-8000-000000000000"), 13),
        ("ReplayWorkflow", request(kind="echo"), 9),
        ("DownloadWorkflowHistory", request(), 3),
        ("DownloadWorkflowHistory", request(save_path=str(folder / "none" / "x.json")), 13),
        ("DownloadWorkflowHistory", request(save_path=str(saved)), 0),
        ("ReplayFromJSON", request(save_path=str(saved)), 0),
        ("ReplayFromJSON", request(save_path=str(saved), last_event_id=9), 0),
        ("ReplayFromJSON", request(save_path=str(saved), kind="echo"), 9),
        ("ReplayFromJSON", request(save_path=str(saved), kind=""), 3),
        ("ReplayFromJSON", request(save_path=str(folder / "no-such-file")), 9),
        ("ReplayWorkflowHistory", History(), 9),
    ]
    for method, message, code in expected:
        assert (await asyncio.to_thread(ask, method, message))[0] == code, (method, message)
    assert json.loads(saved.read_text())["events"][0]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"
    history = History()
    history.workflow_type.name = "side-effects"
    history.history.events.extend(await runs.history(handle))
    assert await asyncio.to_thread(ask, "ReplayWorkflowHistory", history) == (0, "")


def test_without_activity_workers_only_workflows_run(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        async with running(tmp_path, address, disable_activity_workers=True) as runs:
            assert len(runs.server.workers("temporal")) == 1
            assert await runs.run("echo", 1) == [1]
            handle = await runs.start("updates")
            await handle.signal("end")
            assert await runs.result(handle) == []
            described = await runs.start("one-activity", "x")
            await asyncio.sleep(1)
            assert "activity_task_started" not in str(await runs.history(described))
            await described.terminate()

    asyncio.run(check())


def test_a_worker_of_a_deployment_gets_the_runs_of_its_version(tmp_path: Path, address: str) -> None:
    queue = task_queue()
    deployment = {"DeploymentName": f"d-{queue}", "BuildID": "b1"}
    env = options(DeploymentOptions={"UseVersioning": True, "Version": deployment, "DefaultVersioningBehavior": 1}) | {
        "BEHAVIORS": json.dumps({"timer": 2})
    }

    async def check() -> None:
        async with running(tmp_path, address, env=env) as runs:
            request = SetWorkerDeploymentCurrentVersionRequest(
                namespace="default",
                deployment_name=deployment["DeploymentName"],
                version=f"{deployment['DeploymentName']}.b1",
                build_id="b1",
                ignore_missing_task_queues=True,
            )
            async with asyncio.timeout(LIMIT):
                while True:
                    try:
                        await runs.client.workflow_service.set_worker_deployment_current_version(request)
                        break
                    except RPCError:  # the server has not seen the worker's polls yet
                        await asyncio.sleep(0.2)
            for kind, args, behavior in (("one-activity", ["a"], "PINNED"), ("timer", [10], "AUTO_UPGRADE")):
                handle = await runs.start(kind, *args)
                await runs.result(handle)
                info = (await handle.describe()).raw_description.workflow_execution_info.versioning_info
                assert MessageToDict(info)["behavior"] == f"VERSIONING_BEHAVIOR_{behavior}"
                assert info.deployment_version == WorkerDeploymentVersion(
                    deployment_name=deployment["DeploymentName"], build_id="b1"
                )

    asyncio.run(check())


@asynccontextmanager
async def tls_in_front(address: str, folder: Path) -> AsyncIterator[tuple[int, Mapping[str, str]]]:
    """Mutual TLS in front of a server: the port, and the files for the client."""
    authority = trustme.CA()
    server, client = authority.issue_cert("temporal.example"), authority.issue_cert("client@example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pipe(reader, upstream_writer), pipe(upstream_reader, writer))

    listener = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
    files = {"root_ca": authority.cert_pem, "cert": client.cert_chain_pems[0], "key": client.private_key_pem}
    for name, pem in files.items():
        pem.write_to_path(folder / f"{name}.pem")
    try:
        yield listener.sockets[0].getsockname()[1], {name: str(folder / f"{name}.pem") for name in files}
    finally:
        listener.close()


def test_a_connection_with_certificates_on_both_sides(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        async with tls_in_front(address, tmp_path) as (port, files):
            queue = task_queue()
            config = worker_config(f"127.0.0.1:{port}", queue, tls={**files, "server_name": "temporal.example"})
            server = Server(tmp_path, config, timeout=LIMIT)
            await asyncio.to_thread(server.__enter__)
            try:
                runs = Runs(await Client.connect(address), queue, server)
                assert await runs.run("one-activity", "a") == "A"
                await asyncio.to_thread(server.stop)
            finally:
                await asyncio.to_thread(server.kill)

    asyncio.run(check())


def test_the_key_and_the_name_of_the_sdk_are_sent_with_each_call(tmp_path: Path) -> None:
    """To a server that answers nothing."""
    seen: list[tuple[str, dict[str, str]]] = []

    class Recorder(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append((details.method, dict(details.invocation_metadata)))
            return await continuation(details)

    async def check() -> None:
        frontend = grpc.aio.server(interceptors=[Recorder()])
        port = frontend.add_insecure_port("127.0.0.1:0")
        await frontend.start()
        env = {"TEMPORAL_API_KEY": "secret"}
        server = Server(tmp_path, worker_config(f"127.0.0.1:{port}", task_queue(), env=env), timeout=LIMIT)
        await asyncio.to_thread(server.__enter__)
        try:
            async with asyncio.timeout(LIMIT):
                while not seen:  # noqa: ASYNC110 - the server calls
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(server.stop)
        finally:
            await asyncio.to_thread(server.kill)
            await frontend.stop(0)
        _, headers = seen[0]
        assert headers["client-name"] == "temporal-php-2"
        assert headers["client-version"] == "2.18.0"
        assert headers["authorization"] == "Bearer secret"

    asyncio.run(check())


def test_metrics_for_prometheus(tmp_path: Path, address: str) -> None:
    port = free_port()

    async def check() -> None:
        metrics = {"prometheus": {"address": f"127.0.0.1:{port}", "prefix": "app"}}
        async with running(tmp_path, address, metrics=metrics) as runs:
            await runs.run("one-activity", "a")
            board = json.loads((ROOT / "docs" / "dashboards" / "temporal.json").read_text("utf-8"))
            shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
            wanted = {f"app_{name}" for text in shown for name in re.findall(r"\b(?:rr|temporal)_\w+", text)}
            assert len(wanted) > 8
            async with asyncio.timeout(LIMIT):
                while True:
                    with await asyncio.to_thread(urlopen, f"http://127.0.0.1:{port}/metrics") as response:
                        names = {line.partition("{")[0] for line in response.read().decode().splitlines()}
                    if wanted <= names:
                        break
                    await asyncio.sleep(0.2)

    asyncio.run(check())


def test_metrics_for_statsd(tmp_path: Path, address: str) -> None:
    async def check() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
            daemon.bind(("127.0.0.1", 0))
            daemon.setblocking(False)
            port = daemon.getsockname()[1]
            statsd = {
                "host_port": f"127.0.0.1:{port}",
                "prefix": "app",
                "tags": {"env": "test"},
                "flush_interval": "100ms",
            }
            async with running(tmp_path, address, metrics={"driver": "statsd", "statsd": statsd}) as runs:
                await runs.run("one-activity", "a")
                text = ""
                async with asyncio.timeout(LIMIT):
                    while "temporal_workflow_completed" not in text or "pool_queue_size" not in text:
                        packet = await asyncio.get_running_loop().sock_recv(daemon, 65536)
                        assert len(packet) <= 1432
                        text += packet.decode() + "\n"
                [line] = [line for line in text.splitlines() if "temporal_workflow_completed" in line]
                assert line.startswith("app.temporal_workflow_completed:1|c|#")
                assert "env:test" in line

    asyncio.run(check())


def test_the_example_of_the_manual(tmp_path: Path, address: str) -> None:
    """Its config, with a worker that needs no Composer."""
    text = (ROOT / "examples" / "temporal" / ".rr.yaml").read_text("utf-8")
    text = text.replace("127.0.0.1:6001", f"127.0.0.1:{free_port()}").replace(
        "127.0.0.1:2114", f"127.0.0.1:{free_port()}"
    )
    text = text.replace("php worker.php", f"{require_php()} {WORKER}")
    env = {"TEMPORAL_ADDRESS": address, "TASK_QUEUE": task_queue()}

    async def check() -> None:
        server = Server(tmp_path, text, env=env, timeout=LIMIT)
        await asyncio.to_thread(server.__enter__)
        try:
            runs = Runs(await Client.connect(address), env["TASK_QUEUE"], server)
            assert await runs.run("one-activity", "a") == "A"
            with await asyncio.to_thread(urlopen, f"http://{server.config['status']['address']}/ready?plugin=temporal"):
                pass  # 200
            await asyncio.to_thread(server.stop)
        finally:
            await asyncio.to_thread(server.kill)

    asyncio.run(check())
