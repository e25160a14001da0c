"""The connections of one address: their number, and their end."""

from __future__ import annotations

import asyncio

from pyroadrunner.httpd.limits import Limits
from support.http1 import GET, Recorder, Wire, serve
from support.virtual_time import in_virtual_time, turns

FEW = Limits(max_connections=20)


@in_virtual_time
async def test_a_new_client_is_served_when_all_connections_are_silent() -> None:
    listener = serve(Recorder(), FEW)
    silent = [Wire(listener.app, listener=listener) for _ in range(20)]
    new = Wire(listener.app, listener=listener)
    new.send(GET)
    await turns()
    assert new.received.startswith(b"HTTP/1.1 200")
    assert [one.transport.aborted for one in silent].count(True) == 1
    assert listener.refusals.counts == {"idle": 1}


@in_virtual_time
async def test_kept_connections_close_before_new_ones_and_those_before_incomplete_heads() -> None:
    listener = serve(Recorder(), FEW)
    clients = [Wire(listener.app, listener=listener) for _ in range(20)]
    clients[0].send(GET[:5])
    clients[5].send(GET)
    await asyncio.sleep(1)
    clients[6].send(GET)
    await turns()
    closed = []
    for _ in range(20):
        clients.append(Wire(listener.app, listener=listener))
        clients[-1].send(GET[:5])
        await turns()
        closed += [at for at, one in enumerate(clients) if one.transport.aborted and at not in closed]
    assert closed[:2] == [5, 6]
    assert closed[-1] == 0


@in_virtual_time
async def test_a_new_client_gets_503_when_all_connections_are_busy() -> None:
    app = Recorder()
    app.go_on.clear()
    listener = serve(app, FEW)
    busy = [Wire(app, listener=listener) for _ in range(20)]
    for client in busy:
        client.send(GET)
    new = Wire(app, listener=listener)
    assert new.received.startswith(b"HTTP/1.1 503")
    assert new.transport.ended
    await turns()
    app.go_on.set()
    await turns()
    assert all(client.received.startswith(b"HTTP/1.1 200") for client in busy)
    assert listener.refusals.counts == {"connections": 1}


@in_virtual_time
async def test_a_connection_whose_client_still_reads_is_not_idle() -> None:
    app = Recorder(bytes(1 << 20))
    listener = serve(app, Limits(max_connections=1))
    reading = Wire(app, listener=listener)
    reading.transport.stalled = True
    reading.send(GET)
    await turns()
    assert Wire(app, listener=listener).received.startswith(b"HTTP/1.1 503")
    assert not reading.transport.aborted


@in_virtual_time
async def test_connections_that_closed_make_room() -> None:
    listener = serve(Recorder(), FEW)
    for _ in range(100):
        client = Wire(listener.app, listener=listener)
        client.send(GET)
        await turns()
        client.finish()
        await turns()
    assert listener.refusals.counts == {}
    assert len(listener._connections) == 0


@in_virtual_time
async def test_it_is_done_when_its_last_connection_has_closed() -> None:
    listener = serve(Recorder(), FEW)
    client = Wire(listener.app, listener=listener)
    client.send(GET)
    await turns()
    listener.refuse()
    await listener.finish(30)
    assert client.transport.lost
    assert listener.done
    await listener.run()
