"""All connections: their end at a stop, and the CLOSE events that wait."""

from __future__ import annotations

import asyncio

from support.log import logged
from support.tcp import Scene
from support.virtual_time import in_virtual_time, turns


@in_virtual_time
async def test_a_stop_ends_when_the_last_close_is_done_and_the_last_socket_closed() -> None:
    scene = Scene().connected()
    scene.listener.stopping = True
    finishing = asyncio.create_task(scene.connections.finish(30.0))
    await turns()
    assert scene.transport.actions == ["close"]
    scene.pool.reply("CONTINUE")
    await turns()
    assert not finishing.done()
    scene.lose()
    await finishing
    assert len(scene.connections) == 0


@in_virtual_time
async def test_after_the_grace_the_rest_is_cut_off() -> None:
    scene = Scene()
    scene.listener.stopping = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    loop.call_later(30.5, scene.lose)
    with logged("tcp") as log:
        await scene.connections.finish(30.0)
    assert scene.transport.actions == ["abort"]
    assert log.of("grace period over; cutting off the remaining connections") == [{"connections": 1}]
    assert 30.0 <= loop.time() - began <= 32.0


@in_virtual_time
async def test_a_stop_without_connections_is_immediate() -> None:
    scene = Scene()
    scene.pool.reply("CLOSE")
    scene.lose()
    scene.pool.reply("CONTINUE")
    await scene.connections.finish(0.0)


@in_virtual_time
async def test_a_tick_sends_as_many_close_events_as_there_is_room_for() -> None:
    scene = Scene().connected()
    others = [scene.connect()[0] for _ in range(3)]
    for _ in others:
        scene.pool.reply("CONTINUE")
    scene.pool.full = True
    for connection in (scene.connection, *others):
        connection.data_received(b"refused\r\n")
    assert len(scene.connections.postponed) == 4
    scene.pool.room = 2
    scene.connections.tick(1.0)
    assert [context["uuid"] for context, _ in scene.pool.given[4:]] == [scene.connection.uuid, others[0].uuid]
    assert len(scene.connections.postponed) == 2
    scene.pool.full = False
    scene.connections.tick(2.0)
    assert [event for event, _ in scene.pool.events[4:]] == ["CLOSE"] * 4
