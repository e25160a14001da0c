from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.grpcd import GrpcStatus
from pyroadrunner.plugins.grpc.health import Health
from pyroadrunner.proto.grpc.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse, HealthListResponse
from support.grpc_stream import FakeStream
from support.virtual_time import in_virtual_time

CHECK, LIST, WATCH = (f"/grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch"))


def request(service: str = "") -> bytes:
    return HealthCheckRequest(service=service).SerializeToString()


def states(call: FakeStream) -> list[str]:
    names = HealthCheckResponse.ServingStatus
    return [names.Name(HealthCheckResponse.FromString(message).status) for message in call.sent]


async def check(health: Health, service: str = "") -> list[str]:
    call = FakeStream([request(service)])
    await health.methods()[CHECK](call)
    return states(call)


@in_virtual_time
async def test_check_tells_the_state_of_the_server_and_of_each_service() -> None:
    health = Health(["pkg.Echo"])
    assert await check(health) == ["NOT_SERVING"]
    health.set_serving(True)
    for service in ("", "pkg.Echo", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"):
        assert await check(health, service) == ["SERVING"]
    health.set_serving(False)
    assert await check(health, "pkg.Echo") == ["NOT_SERVING"]
    assert repr(health) == "Health(NOT_SERVING, 5 services)"


@in_virtual_time
async def test_check_of_an_unknown_service_is_not_found() -> None:
    with pytest.raises(GrpcStatus, match="unknown service pkg\\.None") as caught:
        await check(Health(["pkg.Echo"]), "pkg.None")
    assert caught.value.code == 5


@in_virtual_time
async def test_list_names_every_service() -> None:
    health = Health(["pkg.Echo"])
    health.set_serving(True)
    call = FakeStream([b""])
    await health.methods()[LIST](call)
    statuses = HealthListResponse.FromString(call.sent[0]).statuses
    assert {name: status.status for name, status in statuses.items()} == dict.fromkeys(
        [
            *("", "pkg.Echo", "grpc.health.v1.Health"),
            *("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"),
        ],
        1,
    )


@pytest.mark.parametrize("path", [CHECK, LIST, WATCH])
@in_virtual_time
async def test_a_request_that_is_no_message_is_refused(path: str) -> None:
    with pytest.raises(GrpcStatus, match="can't be decoded") as caught:
        await Health().methods()[path](FakeStream([b"\xff\xff"]))
    assert caught.value.code == 3


@in_virtual_time
async def test_watch_sends_each_change_once_and_ends_with_the_server() -> None:
    health = Health(["pkg.Echo"])
    call = FakeStream([request("pkg.Echo")])
    watch = asyncio.create_task(health.methods()[WATCH](call))
    await call.wait_for(1)
    for serving in (False, True, True):
        health.set_serving(serving)
    await call.wait_for(2)
    health.set_serving(False)
    await call.wait_for(3)
    health.set_serving(True)
    await call.wait_for(4)
    health.shutdown()
    health.set_serving(True)
    with pytest.raises(GrpcStatus, match="Stream has ended") as caught:
        await watch
    assert caught.value.code == 1
    assert states(call) == ["NOT_SERVING", "SERVING", "NOT_SERVING", "SERVING", "NOT_SERVING"]
    assert await check(health) == ["NOT_SERVING"]


@in_virtual_time
async def test_watch_of_an_unknown_service_stays_open() -> None:
    health = Health()
    call = FakeStream([request("pkg.None")])
    watch = asyncio.create_task(health.methods()[WATCH](call))
    await call.wait_for(1)
    health.set_serving(True)
    health.shutdown()
    with pytest.raises(GrpcStatus):
        await watch
    assert states(call) == ["SERVICE_UNKNOWN"]


@in_virtual_time
async def test_a_watch_that_begins_after_the_shutdown_ends_at_once() -> None:
    health = Health()
    health.shutdown()
    call = FakeStream([request()])
    with pytest.raises(GrpcStatus):
        await health.methods()[WATCH](call)
    assert states(call) == ["NOT_SERVING"]
