"""The calls of workers and operators."""

from __future__ import annotations

from pyroadrunner.plugins.tcp.metrics import server_metrics
from pyroadrunner.plugins.tcp.rpc import TcpRpc, WriteRequest
from support.tcp import Scene
from support.virtual_time import in_virtual_time


@in_virtual_time
async def test_close_is_true_for_any_uuid_and_closes_the_connection() -> None:
    scene = Scene().connected()
    rpc = TcpRpc(scene.connections)
    assert rpc.close("unknown")
    assert rpc.close(scene.connection.uuid)
    assert scene.pool.events[-1] == ("CLOSE", b"")
    assert rpc.close(scene.connection.uuid)
    assert len(scene.pool.events) == 2


@in_virtual_time
async def test_write_reaches_an_open_connection_only() -> None:
    scene = Scene().connected()
    rpc = TcpRpc(scene.connections)
    uuid = scene.connection.uuid
    assert not rpc.write(WriteRequest(uuid="unknown", data=b"a"))
    assert rpc.write(WriteRequest(uuid=uuid, data=b"a"))
    assert rpc.write(WriteRequest(uuid=uuid, data=b"b", close=True))
    assert not rpc.write(WriteRequest(uuid=uuid, data=b"c"))
    assert (scene.transport.written, scene.transport.actions) == (b"ab", ["eof"])


@in_virtual_time
async def test_list_shows_the_connections_of_a_server_or_of_all() -> None:
    scene = Scene().connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITE", b"answer")
    rpc = TcpRpc(scene.connections)
    [view] = rpc.list("")
    assert rpc.list("smtp") == [view]
    assert rpc.list("other") == []
    assert (view.uuid, view.server, view.remote_addr) == (scene.connection.uuid, "smtp", "127.0.0.1:50412")
    assert (view.state, view.received, view.sent, view.events) == ("open", 3, 6, 2)


@in_virtual_time
async def test_metrics_count_connections_bytes_and_events() -> None:
    scene = Scene(max_connections=2).connected()
    scene.send(b"a\r\n")
    scene.pool.reply("WRITE", b"answer")
    other, _ = scene.connect()
    scene.connect()
    other.connection_lost(None)
    found = {
        (
            family.name.removeprefix("rr_tcp_"),
            sample.labels.get("event") or sample.labels.get("reason", ""),
        ): sample.value
        for family in server_metrics([scene.listener])
        for sample in family.samples
    }
    assert found == {
        ("connections", ""): 1,
        ("connections_total", ""): 2,
        ("received_bytes_total", ""): 3,
        ("sent_bytes_total", ""): 6,
        ("events_total", "CONNECTED"): 2,
        ("events_total", "DATA"): 1,
        ("events_total", "CLOSE"): 0,
        ("event_errors_total", ""): 0,
        ("limited_total", "max_connections"): 1,
    }
