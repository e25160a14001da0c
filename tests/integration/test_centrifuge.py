"""Centrifugo's calls, answered by workers in PHP and Python; and theirs to its API."""

from __future__ import annotations

import base64
import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
import yaml

from pyroadrunner.plugins.centrifuge.rpc import METHODS
from pyroadrunner.proto.centrifugo.api.v1 import api_pb2 as api
from pyroadrunner.proto.centrifugo.proxy.v1 import proxy_pb2 as pb
from pyroadrunner.sdk.rpc import CallFailed, RpcClient
from support.centrifugo import PROXY, ApiServer, CentrifugoCalls
from support.metrics import scrape
from support.php import require_php
from support.server import Server, free_port, rr
from support.tls import Authority

WORKERS = Path(__file__).parents[1] / "support" / "workers"
CLIENT = {"client": "c1", "transport": "websocket", "protocol": "json", "encoding": "json"}


def command(language: str = "php") -> str:
    if language == "php":
        return f"{require_php()} {WORKERS / 'centrifugo.php'}"
    return f"{sys.executable} {WORKERS / 'centrifugo_worker.py'}"


def config(api_port: int, language: str = "php", *, workers: int = 1, more: Any = None, **keys: Any) -> dict[str, Any]:
    """A config with the section."""
    return {
        "server": {"command": command(language)},
        "centrifuge": {
            "proxy_address": f"tcp://127.0.0.1:{free_port()}",
            "grpc_api_address": f"tcp://127.0.0.1:{api_port}",
            "pool": {"num_workers": workers, **keys.pop("pool", {})},
            **keys,
        },
        "logs": {"level": "info"},
        **(more or {}),
    }


def calls_to(server: Server) -> CentrifugoCalls:
    return CentrifugoCalls(server.config["centrifuge"]["proxy_address"].removeprefix("tcp://"))


@pytest.fixture(scope="module")
def centrifugo() -> Iterator[ApiServer]:
    with ApiServer() as server:
        yield server


@pytest.fixture(scope="module", params=["php", "python"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, centrifugo: ApiServer
) -> Iterator[CentrifugoCalls]:
    """A server whose worker has the library of each language."""
    folder = tmp_path_factory.mktemp(request.param)
    with Server(folder, config(centrifugo.port, request.param)) as server, calls_to(server) as calls:
        yield calls


@pytest.fixture(scope="module")
def php(tmp_path_factory: pytest.TempPathFactory, centrifugo: ApiServer) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("php"), config(centrifugo.port)) as server:
        yield server
        assert server.stop() == 0


@pytest.fixture
def calls(php: Server) -> Iterator[CentrifugoCalls]:
    with calls_to(php) as calls:
        yield calls


# -- the libraries ---------------------------------------------------------------------------------------------------


def test_connect(both: CentrifugoCalls) -> None:
    result = both.call("Connect", **CLIENT, data=b'{"a":[1,"\xc3\xa9"]}', name="app", channels=["mine"]).result
    assert result == pb.ConnectResult(
        user="user of c1",
        expire_at=1_900_000_000,
        info=b'{"name":"app"}',
        data=b'{"a":[1,"\xc3\xa9"]}',
        channels=["mine", "news"],
        subs={
            "feed": pb.SubscribeOptions(
                data=b'{"a":1}',
                override=pb.Override(presence=pb.Switch(value=True), join_leave=pb.Switch(value=False)),
            ),
            "plain": pb.SubscribeOptions(),
        },
        meta=b'{"raw":true}',
        caps=[pb.Capability(channels=["news"], allow=["sub", "hst"], match="wildcard")],
        labels={"plan": "free"},
    )


def test_the_other_calls_of_a_client(both: CentrifugoCalls) -> None:
    assert both.call("Refresh", **CLIENT, user="old", meta=b'{"m":1}').result == pb.RefreshResult(
        expired=True, expire_at=1_900_000_000, meta=b'{"m":1}'
    )
    assert both.call(
        "Subscribe", **CLIENT, user="u", channel="news", token="t", data=b"[2]"
    ).result == pb.SubscribeResult(
        info=b'["u","t"]', data=b"[2]", override=pb.Override(force_recovery=pb.Switch(value=True)), allow=["pub"]
    )
    assert both.call("Subscribe", **CLIENT, channel="secret").error == pb.Error(code=403, message="not for you")
    assert both.call("Publish", **CLIENT, channel="news", data=b'"x"').result == pb.PublishResult(
        data=b'{"news":"x"}', skip_history=True, tags={"a": "b"}, version=7
    )
    assert both.call("SubRefresh", **CLIENT, channel="news").result == pb.SubRefreshResult(
        expire_at=1_900_000_000, info=b'["subrefresh","news"]'
    )
    assert both.rpc("mode").result.data in (b'"centrifuge"', b"centrifuge")  # PHP sends a text as it is


def test_the_calls_of_a_channel(both: CentrifugoCalls) -> None:
    event = pb.NotifyChannelStateRequest.Event(time_ms=5, channel="news", type="occupied")
    answer = both.call("NotifyChannelState", events=[event, event])
    assert answer == pb.NotifyChannelStateResponse(result=pb.NotifyChannelStateResult())
    assert answer.HasField("result")
    assert both.call("NotifyCacheEmpty", channel="cache").result.populated
    assert not both.call("NotifyCacheEmpty", channel="other").result.populated
    assert both.call("MapPublish", key="k", data=b"1").result == pb.MapPublishResult(key="k", data=b"1", score=3)
    assert both.call("MapRemove", key="k").result == pb.MapRemoveResult(key="k")
    item = pb.SharedPollRefreshRequest.Item(key="k", version=8)
    assert both.call("SharedPollRefresh", items=[item]).result == pb.SharedPollRefreshResult(
        items=[pb.SharedPollRefreshResult.Item(key="k", data=b'{"v":8}', version=9)], epoch="e"
    )


def test_errors_and_disconnects_of_a_worker(both: CentrifugoCalls) -> None:
    assert both.rpc("error").error == pb.Error(code=404, message="there is none", temporary=True)
    assert both.rpc("disconnect").disconnect == pb.Disconnect(code=4100, reason="go away")
    code, text = both.status(lambda: both.rpc("throw"))
    assert code == "UNKNOWN"
    assert "the handler failed" in text
    code, text = both.status(lambda: both.rpc("no such method"))
    assert (code, "the method no such method is unknown" in text) == ("UNKNOWN", True)


def test_a_worker_publishes(both: CentrifugoCalls, centrifugo: ApiServer) -> None:
    centrifugo.answers["Publish"] = api.PublishResponse(
        result=api.PublishResult(offset=42, epoch="e")
    ).SerializeToString()
    assert json.loads(both.rpc("publish", b'{"text":"hello"}').result.data) == {"offset": 42, "epoch": "e"}
    assert centrifugo.published() == api.PublishRequest(channel="news", data=b'{"text":"hello"}')


# -- what a worker sees ----------------------------------------------------------------------------------------------


def test_the_metadata_of_a_call(calls: CentrifugoCalls, php: Server) -> None:
    metadata = [("x-key", "v1"), ("x-key", "v2"), ("type", "connect"), ("y-bin", b"\x01caf\xc3\xa9"), ("cookie", "a=b")]
    seen = json.loads(calls.rpc("call", metadata=metadata).result.data)["metadata"]
    assert seen.pop("user-agent")[0].startswith("grpc-python/")
    assert seen == {
        ":authority": [php.config["centrifuge"]["proxy_address"].removeprefix("tcp://")],
        "content-type": ["application/grpc"],
        "cookie": ["a=b"],
        "grpc-accept-encoding": ["identity, deflate, gzip"],
        "type": ["rpc"],  # not the caller's
        "x-key": ["v1", "v2"],
        "y-bin": ["\x01café"],
    }


def test_unknown_fields_and_bytes_pass_unchanged(calls: CentrifugoCalls) -> None:
    message = pb.RPCRequest(method="echo", data=b"\x00\xff\xfe").SerializeToString() + b"\xa2\x06\x03new"
    assert calls.send(f"/{PROXY}/RPC", message) == b"\x0a\x05\x0a\x03\x00\xff\xfe"


def test_the_type_of_sub_refresh_can_be_the_old_one(tmp_path: Path, centrifugo: ApiServer) -> None:
    with Server(tmp_path, config(centrifugo.port, sub_refresh_type="sub_refresh")) as server, calls_to(server) as calls:
        assert calls.call("SubRefresh", channel="news").result.info == b'["sub_refresh","news"]'


# -- bad things ------------------------------------------------------------------------------------------------------


def test_methods_that_are_not_served(calls: CentrifugoCalls) -> None:
    def status(path: str) -> tuple[str, str]:
        return calls.status(lambda: calls.send(path, b""))

    assert status(f"/{PROXY}/Nothing") == ("UNIMPLEMENTED", f"unknown method Nothing for service {PROXY}")
    assert status("/some.Service/Connect") == ("UNIMPLEMENTED", "unknown service some.Service")
    assert status(f"/{PROXY}/SubscribeUnidirectional") == ("UNKNOWN", "not supported")
    assert status(f"/{PROXY}/SubscribeBidirectional") == ("UNKNOWN", "not supported")


def test_a_request_that_is_no_message_reaches_no_worker(calls: CentrifugoCalls) -> None:
    code, text = calls.status(lambda: calls.send(f"/{PROXY}/Connect", b"\xff\xff"))
    assert (code, "cannot parse invalid wire-format data" in text) == ("INTERNAL", True)


@pytest.mark.parametrize("method", ["exit", "kill", "garbage", "half-frame"])
def test_a_worker_that_fails_is_replaced(calls: CentrifugoCalls, method: str) -> None:
    before = calls.rpc("pid").result.data
    code, text = calls.status(lambda: calls.rpc(method))
    assert (code, "sync_worker_receive_frame: Network" in text) == ("UNKNOWN", True)
    assert calls.rpc("pid").result.data != before


def test_a_reply_that_is_no_answer(calls: CentrifugoCalls, php: Server) -> None:
    before = calls.rpc("pid").result.data
    assert calls.status(lambda: calls.rpc("no-message")) == ("UNKNOWN", "proto: the worker's reply is no RPCResponse")
    assert calls.status(lambda: calls.rpc("no-text")) == ("UNKNOWN", "proto: the worker's reply is no RPCResponse")
    php.wait_for("a worker's reply is no answer for Centrifugo", times=2)
    assert calls.status(lambda: calls.rpc("error-frame")) == (
        "UNKNOWN",
        "sync_worker_receive_frame: SoftJobError: the application says no",
    )
    assert calls.rpc("empty") == pb.RPCResponse()
    assert calls.rpc("context") == pb.RPCResponse(result=pb.RPCResult(data=b""))
    assert calls.rpc("pid").result.data == before


def test_a_streamed_reply_does_not_block_the_worker(calls: CentrifugoCalls) -> None:
    assert calls.status(lambda: calls.rpc("stream")) == ("UNKNOWN", "streaming response not supported")
    assert calls.rpc("echo", b'"next"').result.data == b'"next"'


def test_a_surplus_reply_answers_no_other_call(calls: CentrifugoCalls) -> None:
    assert calls.rpc("surplus").result.data == b'"ok"'
    assert calls.rpc("echo", b'"next"').result.data == b'"next"'
    assert calls.rpc("twice").result.data == b"first"
    assert calls.rpc("echo", b'"next"').result.data == b'"next"'


def test_large_messages(calls: CentrifugoCalls) -> None:
    large = b"x" * ((4 << 20) - 1000)
    assert calls.rpc("size", large).result.data == str(len(large)).encode()
    code, text = calls.status(lambda: calls.rpc("size", b"x" * (4 << 20)))
    assert (code, "received message larger than max" in text) == ("RESOURCE_EXHAUSTED", True)


def test_a_passed_deadline_gives_the_wait_up_and_keeps_the_worker(calls: CentrifugoCalls) -> None:
    before = calls.rpc("pid").result.data
    assert calls.status(lambda: calls.rpc("sleep", b"0.5", timeout=0.1))[0] == "DEADLINE_EXCEEDED"
    assert calls.rpc("pid").result.data == before


def wait_until_busy(server: Server) -> None:
    """Wait until every worker has a call."""
    with RpcClient(server.rpc) as client:
        until = time.monotonic() + server.timeout
        while {one["statusStr"] for one in client.call("informer.Workers", "centrifuge")["workers"]} != {"working"}:
            assert time.monotonic() < until, "no worker got the call"


def test_a_full_pool_refuses_at_once(tmp_path: Path, centrifugo: ApiServer) -> None:
    settings = config(centrifugo.port, pool={"max_queue_size": 1})
    with Server(tmp_path, settings) as server, calls_to(server) as calls:
        running = calls.begin("sleep", b"3")
        wait_until_busy(server)
        assert calls.status(lambda: calls.rpc("pid")) == (
            "RESOURCE_EXHAUSTED",
            "static_pool_exec: QueueSize: max queue size reached",
        )
        assert not running.done()
        assert running.result()


def test_calls_wait_in_the_queue_of_the_pool_not_in_the_connection(tmp_path: Path, centrifugo: ApiServer) -> None:
    """HTTP/2's usual 100 to 128 concurrent streams would hold up the rest in Centrifugo until its timeout."""
    with Server(tmp_path, config(centrifugo.port, pool={"max_queue_size": 200})) as server, calls_to(server) as calls:
        running = calls.begin("sleep", b"3")
        wait_until_busy(server)
        codes = [one.code().name for one in [calls.begin("pid") for _ in range(249)]]
        assert running.result()
        assert codes.count("OK") >= 199
        assert codes.count("RESOURCE_EXHAUSTED") == 249 - codes.count("OK")
        assert "RESOURCE_EXHAUSTED" in codes


def test_http_1_and_noise_on_the_port(php: Server, calls: CentrifugoCalls) -> None:
    host, _, port = php.config["centrifuge"]["proxy_address"].removeprefix("tcp://").partition(":")
    noises = (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"\x00" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 60,
    )
    for noise in noises:
        with socket.create_connection((host, int(port)), 30) as connection, suppress(ConnectionResetError):
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    assert calls.rpc("echo", b"1").result.data == b"1"


# -- operations ------------------------------------------------------------------------------------------------------


def test_workers_reset_metrics_and_status(tmp_path: Path, centrifugo: ApiServer) -> None:
    status, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    more = {"status": {"address": status}, "metrics": {"address": metrics}}
    with Server(tmp_path, config(centrifugo.port, workers=2, more=more)) as server, calls_to(server) as calls:
        for page in ("health", "ready"):
            with urlopen(f"http://{status}/{page}?plugin=centrifuge", timeout=30) as answer:
                assert answer.status == 200
        before = server.workers("centrifuge")
        assert len(before) == 2
        assert rr("reset", "centrifuge", cwd=tmp_path).code == 0
        assert not before & server.workers("centrifuge")
        assert "centrifuge" in rr("workers", cwd=tmp_path).stdout
        assert calls.rpc("echo", b"1").result.data == b"1"
        assert calls.status(lambda: calls.rpc("throw"))[0] == "UNKNOWN"
        with RpcClient(server.rpc) as client:
            client.call("centrifuge.Publish", {"channel": "news", "data": "MQ=="})
        centrifugo.published()
        samples = scrape(metrics)
        assert samples["rr_centrifugo_total_workers"] == 2
        assert samples["rr_centrifugo_workers_ready"] == 2
        assert samples['rr_centrifugo_proxy_requests_total{status="OK",type="rpc"}'] == 1
        assert samples['rr_centrifugo_proxy_requests_total{status="Unknown",type="rpc"}'] == 1
        assert samples['rr_centrifugo_api_requests_total{method="Publish",status="OK"}'] == 1
        assert samples["rr_centrifugo_api_connected"] == 1
        running = [calls.begin("sleep", b"3") for _ in range(2)]
        wait_until_busy(server)
        with pytest.raises(HTTPError, match="503") as busy:
            urlopen(f"http://{status}/ready?plugin=centrifuge", timeout=30)
        busy.value.close()
        for one in running:
            one.result()


def test_the_pool_is_reloaded(tmp_path: Path, centrifugo: ApiServer) -> None:
    with Server(tmp_path, config(centrifugo.port)) as server:
        server.config["centrifuge"]["pool"]["num_workers"] = 3
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(server.config), "utf-8")
        assert rr("reload", cwd=tmp_path).code == 0
        server.wait_for_workers(3, "centrifuge")
        server.config["centrifuge"]["grpc_api_address"] = "127.0.0.1:1"
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(server.config), "utf-8")
        refused = rr("reload", cwd=tmp_path)
        assert (refused.code, "centrifuge.grpc_api_address" in refused.stdout + refused.stderr) == (3, True)


def test_a_stop_finishes_running_calls_which_may_still_publish(tmp_path: Path, centrifugo: ApiServer) -> None:
    with Server(tmp_path, config(centrifugo.port)) as server, calls_to(server) as calls:
        centrifugo.gate.clear()
        running = calls.begin("publish", b'"last"')
        method, _, _ = centrifugo.last()
        assert method == "Publish"
        server.send(15)
        server.wait_for("stop signal received")
        centrifugo.gate.set()
        assert running.result()
        assert server.wait() == 0


def test_an_idle_connection_of_centrifugo_does_not_hold_up_the_stop(tmp_path: Path, centrifugo: ApiServer) -> None:
    with Server(tmp_path, config(centrifugo.port)) as server, calls_to(server) as calls:
        calls.rpc("pid")
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 20  # the grace period is 30


def test_the_proxy_on_a_unix_socket(tmp_path: Path, centrifugo: ApiServer) -> None:
    path = tmp_path / "proxy.sock"
    with (
        Server(tmp_path, config(centrifugo.port, proxy_address=f"unix://{path}")),
        CentrifugoCalls(f"unix:{path}") as calls,
    ):
        assert calls.rpc("echo", b"1").result.data == b"1"
    assert not path.exists()


def test_a_taken_address_ends_the_start(tmp_path: Path, centrifugo: ApiServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Server(tmp_path, config(centrifugo.port, proxy_address=address)).start()
        assert server.wait() == 1
        assert f"centrifuge.proxy_address: cannot listen on {address}: the address is in use" in server.stderr
        server.kill()


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"proxy_address": "127.0.0.1"}, "centrifuge.proxy_address"),
        ({"tls": {"cert": "a.pem"}}, "centrifuge.tls.key"),
        ({"pool": {"num_workers": 1000}}, "centrifuge.pool.num_workers"),
    ],
)
def test_a_fault_of_the_config_is_named_with_its_line(tmp_path: Path, keys: dict[str, Any], fault: str) -> None:
    section = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in keys.items())
    (tmp_path / ".rr.yaml").write_text(
        f'version: "3"\nserver: {{command: "php x.php"}}\ncentrifuge:\n{section}', "utf-8"
    )
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert fault in done.stderr
    assert ".rr.yaml:4" in done.stderr


def test_missing_files_are_named(tmp_path: Path, centrifugo: ApiServer) -> None:
    server = Server(tmp_path, config(centrifugo.port, tls={"cert": "no.pem", "key": "no.key"})).start()
    assert server.wait() == 1
    assert "centrifuge.tls.key" in server.stderr
    server.kill()
    checked = rr("config", "check", cwd=tmp_path)
    assert (checked.code, "centrifuge.tls.cert" in checked.stdout + checked.stderr) == (1, True)


# -- the API ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def rpc(php: Server) -> Iterator[RpcClient]:
    with RpcClient(php.rpc) as client:
        yield client


def test_every_method_reaches_the_api(rpc: RpcClient, centrifugo: ApiServer) -> None:
    assert len(METHODS) == 34 + 7
    for name, (request, answer) in METHODS.items():
        found = rpc.call_message(f"centrifuge.{name}", request(), answer)
        assert (name, centrifugo.last()[0], type(found)) == (name, name, answer)


def test_a_call_in_protobuf(rpc: RpcClient, centrifugo: ApiServer) -> None:
    centrifugo.answers["Presence"] = api.PresenceResponse(
        result=api.PresenceResult(presence={"c1": api.ClientInfo(user="u", client="c1", conn_info=b"{}")})
    ).SerializeToString()
    found = rpc.call_message("centrifuge.Presence", api.ChannelRequest(channel="news"), api.PresenceResponse)
    assert found.result.presence["c1"].user == "u"
    assert centrifugo.last()[2] == api.ChannelRequest(channel="news").SerializeToString()


def test_fields_that_are_unknown_here_pass_in_both_directions(rpc: RpcClient, centrifugo: ApiServer) -> None:
    new = b"\xa2\x06\x03new"
    centrifugo.answers["Channels"] = b"\x12\x00" + new
    found = rpc.call_message("centrifuge.Channels", api.ChannelsRequest.FromString(new), api.ChannelsResponse)
    assert centrifugo.last()[2] == new
    assert new in found.SerializeToString()


def test_a_call_in_json(rpc: RpcClient, centrifugo: ApiServer) -> None:
    centrifugo.answers["Publish"] = api.PublishResponse(
        result=api.PublishResult(offset=42, epoch="epoch")
    ).SerializeToString()
    argument = {"channel": "news", "data": "eyJhIjoxfQ==", "skip_history": True, "tags": {"k": "v"}}
    assert rpc.call("centrifuge.Publish", argument) == {"result": {"offset": 42, "epoch": "epoch"}}
    assert centrifugo.published() == api.PublishRequest(
        channel="news", data=b'{"a":1}', skip_history=True, tags={"k": "v"}
    )


def test_an_error_of_centrifugo_is_part_of_the_answer(rpc: RpcClient, centrifugo: ApiServer) -> None:
    centrifugo.answers["Publish"] = api.PublishResponse(
        error=api.Error(code=102, message="unknown channel")
    ).SerializeToString()
    assert rpc.call("centrifuge.Publish", {"channel": "x"}) == {"error": {"code": 102, "message": "unknown channel"}}
    centrifugo.published()


def test_an_error_of_the_call(rpc: RpcClient, centrifugo: ApiServer) -> None:
    centrifugo.answers["History"] = ValueError("it rains")
    with pytest.raises(CallFailed, match=r"^rpc error: code = Internal desc = it rains$"):
        rpc.call("centrifuge.History", {"channel": "x"})
    centrifugo.last()
    centrifugo.answers["History"] = b"\xff\xff"
    with pytest.raises(CallFailed, match=r"^rpc error: code = Internal desc = "):
        rpc.call("centrifuge.History", {"channel": "x"})
    centrifugo.last()


def test_a_message_that_the_api_refuses_as_too_large(rpc: RpcClient) -> None:
    with pytest.raises(CallFailed, match=r"^rpc error: code = ResourceExhausted desc = "):
        rpc.call_message("centrifuge.Publish", api.PublishRequest(data=b"x" * (5 << 20)), api.PublishResponse)


def test_the_api_key(tmp_path: Path) -> None:
    with (
        ApiServer(key="right") as centrifugo,
        Server(tmp_path, config(centrifugo.port, api_key="right", use_compressor=True)) as server,
        RpcClient(server.rpc) as rpc,
    ):
        rpc.call("centrifuge.Publish", {"channel": "news", "data": base64.b64encode(b"a" * 9000).decode()})
        _, metadata, data = centrifugo.last()
        assert metadata["authorization"] == "apikey right"
        assert len(data) > 9000


def test_a_wrong_api_key_is_said_once(tmp_path: Path) -> None:
    with (
        ApiServer(key="right") as centrifugo,
        Server(tmp_path, config(centrifugo.port, api_key="wrong-secret")) as server,
        RpcClient(server.rpc) as rpc,
    ):
        for _ in range(3):
            with pytest.raises(CallFailed, match=r"^rpc error: code = Unauthenticated desc = unauthenticated$"):
                rpc.call("centrifuge.Info", {})
        server.wait_for("Centrifugo's API refuses the key; correct centrifuge.api_key")
        assert (server.stdout + server.stderr).count("refuses the key") == 1
        assert "wrong-secret" not in server.stdout + server.stderr


def test_the_api_is_away_at_the_start_and_later(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, config(port), timeout=60) as server, RpcClient(server.rpc) as rpc:
        server.wait_for("no connection to Centrifugo's API; retrying")
        with pytest.raises(CallFailed, match=r"^rpc error: code = Unavailable desc = .*onnection refused"):
            rpc.call("centrifuge.Info", {})
        for times in (1, 2):
            with ApiServer(port):
                server.wait_for("Centrifugo's API is connected again", times=times)
                assert rpc.call("centrifuge.Info", {}) in ({}, None)
            server.wait_for("no connection to Centrifugo's API; retrying", times=times + 1)


def test_a_silent_api_is_given_up(tmp_path: Path) -> None:
    with (
        ApiServer() as centrifugo,
        Server(tmp_path, config(centrifugo.port, api_timeout="200ms")) as server,
        RpcClient(server.rpc) as rpc,
    ):
        centrifugo.gate.clear()
        with pytest.raises(CallFailed, match=r"^rpc error: code = DeadlineExceeded desc = "):
            rpc.call("centrifuge.Info", {})


# -- TLS to the API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def credentials(authority: Authority) -> grpc.ServerCredentials:
    """Those of a server that requires a certificate of its clients."""
    server = authority.server("api")
    pair = (server.key.read_bytes(), server.cert.read_bytes())
    return grpc.ssl_server_credentials([pair], authority.root.read_bytes(), require_client_auth=True)


def test_tls_with_a_client_certificate(tmp_path: Path, authority: Authority) -> None:
    client = authority.client("rr")
    tls = {"cert": str(client.cert), "key": str(client.key), "root_ca": str(authority.root)}
    with (
        ApiServer(credentials=credentials(authority)) as centrifugo,
        Server(tmp_path, config(centrifugo.port, tls=tls)) as server,
        RpcClient(server.rpc) as rpc,
    ):
        rpc.call("centrifuge.Publish", {"channel": "news", "data": "MQ=="})
        assert centrifugo.published().channel == "news"


def test_tls_to_a_server_that_is_not_trusted_or_has_another_name(tmp_path: Path, authority: Authority) -> None:
    client = authority.client("rr")
    tls = {"cert": str(client.cert), "key": str(client.key)}
    with ApiServer(credentials=credentials(authority)) as centrifugo:
        for more in ({}, {"root_ca": str(authority.root), "server_name": "other.example"}):
            with Server(tmp_path, config(centrifugo.port, tls=tls | more)) as server, RpcClient(server.rpc) as rpc:
                server.wait_for("no connection to Centrifugo's API; retrying")
                with pytest.raises(CallFailed, match=r"^rpc error: code = Unavailable desc = "):
                    rpc.call("centrifuge.Publish", {"channel": "news"})
            assert "ssl_transport_security" not in server.stderr  # the library's own log, a line for each attempt


def test_a_reload_uses_a_changed_client_certificate(tmp_path: Path, authority: Authority) -> None:
    client = Authority(tmp_path, "another").client("rr")
    tls = {"cert": str(client.cert), "key": str(client.key), "root_ca": str(authority.root)}
    with (
        ApiServer(credentials=credentials(authority)) as centrifugo,
        Server(tmp_path, config(centrifugo.port, tls=tls)) as server,
        RpcClient(server.rpc) as rpc,
    ):
        server.wait_for("no connection to Centrifugo's API; retrying")
        assert rr("reload", cwd=tmp_path).code == 0
        client.replace_by(authority.client("renewed"))
        assert rr("reload", cwd=tmp_path).code == 0
        server.wait_for("Centrifugo's API gets the changed certificates")
        rpc.call("centrifuge.Publish", {"channel": "news", "data": "MQ=="})
        assert centrifugo.published().channel == "news"
        client.cert.write_text("no certificate", "utf-8")
        rr("reload", cwd=tmp_path)
        server.wait_for("Centrifugo's API keeps its old certificate")
        rpc.call("centrifuge.Publish", {"channel": "news", "data": "MQ=="})
