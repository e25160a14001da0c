"""Commands for all servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from pyroadrunner.contracts import HasRpc, RpcMethod
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.discovery.commands import Actions, Commands
from pyroadrunner.plugins.discovery.drivers.contract import RegistryError
from pyroadrunner.plugins.discovery.figures import Figures
from pyroadrunner.plugins.discovery.server import Server
from pyroadrunner.plugins.discovery.signing import Inbox, Signer
from support.fake_registry import FakeRegistry
from support.virtual_time import in_virtual_time

SECRET = "0123456789abcdef"


class Check(msgspec.Struct, kw_only=True):
    check: bool = True


class Service(HasRpc):
    """A plugin with RPC methods that note their arguments."""

    def __init__(self, name: str, **replies: Any) -> None:
        self.name = name
        self.calls: list[Any] = []
        self._replies = replies

    def rpc_methods(self) -> Mapping[str, RpcMethod]:
        def made(reply: Any) -> RpcMethod:
            async def call(argument: Any) -> Any:
                self.calls.append(argument)
                if isinstance(reply, Exception):
                    raise reply
                return reply

            return RpcMethod(call, {"roadrunner": Check}.get(self.name, object))

        return {name: made(reply) for name, reply in self._replies.items()}


def make(registry: FakeRegistry, name: str, *services: HasRpc) -> Commands:
    signer, loop = Signer(SECRET, "shop"), asyncio.get_running_loop()
    return Commands(
        registry,
        signer,
        Inbox(signer, 0.0),
        Actions(services),
        Figures(),
        id=name,
        instance=f"i-{name}",
        wall=loop.time,
    )


SERVERS = [Server(id="a", instance="i-a"), Server(id="b", instance="i-b")]


@in_virtual_time
async def test_all_servers_run_a_command_and_answer() -> None:
    registry = FakeRegistry()
    resetters = [Service("resetter", List=["http", "jobs"], Reset=True) for _ in "ab"]
    one, two = (make(registry, name, resetter) for name, resetter in zip("ab", resetters, strict=True))

    async def serve() -> None:
        while True:
            await one.step()
            await two.step()
            await asyncio.sleep(0.1)

    serving = asyncio.create_task(serve())
    results = await one.send("reset", [], SERVERS, 10.0)
    assert [(result.server, result.ok, result.message) for result in results] == [
        ("a", True, "reset: http, jobs"),
        ("b", True, "reset: http, jobs"),
    ]
    assert resetters[1].calls == [True, "http", "jobs"]
    assert registry.stored == {}
    resetters[0].calls.clear()
    await one.send("reset", ["http"], SERVERS, 10.0)
    assert resetters[0].calls == ["http"]
    serving.cancel()
    await asyncio.wait([serving])


@in_virtual_time
async def test_a_server_that_fails_or_does_not_answer_is_named() -> None:
    registry = FakeRegistry()
    one = make(registry, "a", Service("roadrunner", Reload=RoadRunnerError("the config has a fault")))

    async def serve() -> None:
        while True:
            await one.step()
            await asyncio.sleep(0.1)

    serving = asyncio.create_task(serve())
    results = await one.send("reload", [], SERVERS, 3.0)
    assert [(result.server, result.ok, result.message) for result in results] == [
        ("a", False, "the config has a fault"),
        ("b", False, "no answer within 3 s"),
    ]
    assert registry.stored == {}
    serving.cancel()
    await asyncio.wait([serving])


@in_virtual_time
async def test_a_result_of_a_stranger_does_not_count() -> None:
    registry = FakeRegistry()
    one = make(registry, "a")

    def forge(key: str, value: bytes) -> None:
        if key.startswith("commands/"):
            registry.stored[f"results/{key.removeprefix('commands/')}/i-b"] = b'{"body": "{}", "mac": "00"}'

    registry.on_put = forge
    results = await one.send("reload", [], SERVERS[1:], 1.0)
    assert [(result.server, result.ok) for result in results] == [("b", False)]


@in_virtual_time
async def test_a_result_is_stored_when_the_registry_comes_back() -> None:
    registry = FakeRegistry()
    one = make(registry, "a", Service("roadrunner", Reload={"applied": [1], "restart": [1, 2]}))
    sending = asyncio.create_task(one.send("reload", [], SERVERS[:1], 20.0))
    await asyncio.sleep(0.1)
    await one.step()
    registry.error = RegistryError("away")
    await asyncio.sleep(2.0)
    registry.error = None
    [result] = await sending
    assert result.message == "1 change applied, 2 need a restart"
