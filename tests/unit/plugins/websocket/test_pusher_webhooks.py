"""Webhooks: filters, batches, signatures, retries, limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from pyroadrunner.plugins.websocket.pusher import webhooks as module
from pyroadrunner.plugins.websocket.pusher.config import AppConfig, WebhookConfig
from pyroadrunner.plugins.websocket.pusher.webhooks import WebhookEndpoint, WebhookFailed, Webhooks, shown

APP = AppConfig(id="3", key="278d425bdf160c739803", secret="7ad3773142a6692b25b8")


class Receiver:
    """Answers with the given statuses, then with 200; a text is a failure without a response."""

    own = False

    def __init__(self, *answers: int | str) -> None:
        self.answers = list(answers)
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.got = asyncio.Event()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        self.bodies.append(body)
        self.headers.append(headers)
        answer = self.answers.pop(0) if self.answers else 200
        self.got.set()
        if isinstance(answer, str):
            raise WebhookFailed(answer)
        return answer

    @property
    def events(self) -> list[Any]:
        return [event for body in self.bodies for event in json.loads(body)["events"]]


class Scene:
    """An endpoint whose time passes only while it sleeps."""

    def __init__(self, *answers: int | str, **config: Any) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.receiver = Receiver(*answers)
        self.endpoint = WebhookEndpoint(
            APP,
            WebhookConfig(url="https://example.com/hook?token=1", **config),
            self.receiver,
            clock=lambda: self.now,
            wall=lambda: 1327078148.132 + self.now,
            sleep=self._sleep,
        )
        self.webhooks = Webhooks([self.endpoint])

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sent(self, events: int) -> None:
        self.webhooks.start()
        while self.endpoint.counters.sent + self.endpoint.counters.dropped < events:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await self.webhooks.stop(60)


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 60))


def test_the_body_and_its_signature_are_those_of_the_documentation() -> None:
    async def scene() -> None:
        it = Scene(headers={"X-More": "yes"})
        it.webhooks.emit("channel_occupied", "my-channel")
        await it.sent(1)
        assert it.receiver.bodies == [
            b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}'
        ]
        assert it.receiver.headers == [
            {
                "X-More": "yes",
                "Content-Type": "application/json",
                "X-Pusher-Key": APP.key,
                "X-Pusher-Signature": "c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf",
            }
        ]

    run(scene)


def test_an_endpoint_gets_what_it_asks_for() -> None:
    async def scene() -> None:
        it = Scene(events=["member_added", "cache_miss"], channels=["presence-*", "cache-a"])
        it.webhooks.emit("member_added", "presence-x", {"user_id": "1"})
        it.webhooks.emit("member_removed", "presence-x", {"user_id": "1"})
        it.webhooks.emit("member_added", "other-presence-x", {"user_id": "1"})
        it.webhooks.emit("cache_miss", "cache-a")
        it.webhooks.emit("cache_miss", "cache-a")
        it.webhooks.emit("cache_miss", "cache-ab")
        await it.sent(2)
        assert it.receiver.events == [
            {"name": "member_added", "channel": "presence-x", "user_id": "1"},
            {"name": "cache_miss", "channel": "cache-a"},
        ]

    run(scene)


def test_events_that_wait_travel_together_and_in_order() -> None:
    async def scene() -> None:
        it = Scene()
        for number in range(250):
            it.webhooks.emit("channel_occupied", str(number))
        await it.sent(250)
        assert [len(json.loads(body)["events"]) for body in it.receiver.bodies] == [100, 100, 50]
        assert [event["channel"] for event in it.receiver.events] == [str(number) for number in range(250)]

    run(scene)


def test_a_failed_request_is_repeated_with_a_new_stamp_and_growing_delays() -> None:
    async def scene() -> None:
        it = Scene(500, "connection refused", 302, 404)
        it.webhooks.emit("channel_occupied", "a")
        await it.sent(1)
        stamps = [json.loads(body)["time_ms"] for body in it.receiver.bodies]
        assert stamps == sorted(set(stamps))
        assert len({headers["X-Pusher-Signature"] for headers in it.receiver.headers}) == 5
        assert [low <= found <= 2 * low for low, found in zip((0.5, 1, 2, 4), it.slept, strict=True)] == [True] * 4
        counters = it.endpoint.counters
        assert (counters.sent, counters.failed, counters.dropped) == (1, 4, 0)

    run(scene)


def test_after_five_minutes_a_batch_is_given_up_and_the_next_one_goes_on() -> None:
    async def scene() -> None:
        it = Scene(*["away"] * 1000)
        it.webhooks.emit("channel_occupied", "a")
        it.webhooks.start()
        while not it.endpoint.counters.dropped:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert 250 < it.now <= 300
        it.receiver.answers.clear()
        it.webhooks.emit("channel_occupied", "b")
        while not it.endpoint.counters.sent:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert it.receiver.events[-1]["channel"] == "b"
        await it.webhooks.stop(60)

    run(scene)


@pytest.mark.parametrize(("limit", "value"), [("MAX_EVENTS", 10), ("MAX_BYTES", 500)])
def test_what_exceeds_the_queue_is_dropped_and_said_once(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, limit, value)

    async def scene() -> None:
        it = Scene()
        for number in range(40):
            it.webhooks.emit("channel_occupied", str(number))
        assert it.endpoint.waiting in (10, 12)
        dropped = it.endpoint.counters.dropped
        assert dropped == 40 - it.endpoint.waiting
        await it.sent(40)
        assert [event["channel"] for event in it.receiver.events] == [str(one) for one in range(40 - dropped)]

    run(scene)
    assert sum("dropped" in record.getMessage() for record in caplog.records) == 1


def test_a_stop_tries_once_more_and_does_not_wait_for_an_endpoint_that_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        it = Scene(*["away"] * 1000)

        async def never(_: float) -> None:
            await asyncio.Event().wait()

        it.endpoint._sleep = never
        it.webhooks.start()
        it.webhooks.emit("channel_occupied", "a")
        await it.receiver.got.wait()
        it.webhooks.emit("channel_occupied", "b")
        await it.webhooks.stop(60)
        assert len(it.receiver.bodies) == 3  # a, at the stop again, and b
        assert it.endpoint.counters.dropped == 2

    run(scene)
    assert "given up" in caplog.text


def test_the_application_of_this_server_is_not_asked_after_its_stop(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        it = Scene()
        it.receiver.own = True  # type: ignore[misc]
        it.webhooks.start()
        it.webhooks.emit("channel_vacated", "a")
        await it.webhooks.stop(60)
        assert (it.receiver.bodies, it.endpoint.counters.dropped) == ([], 1)

    run(scene)
    assert [record.levelname for record in caplog.records] == []


def test_a_stop_is_bounded() -> None:
    async def scene() -> None:
        it = Scene()

        async def hangs(body: bytes, headers: Mapping[str, str]) -> int:
            it.receiver.got.set()
            await asyncio.Event().wait()
            return 200

        it.receiver.post = hangs  # type: ignore[method-assign]
        it.webhooks.start()
        it.webhooks.emit("channel_occupied", "a")
        await it.receiver.got.wait()
        it.webhooks.emit("channel_occupied", "b")
        await it.webhooks.stop(0.01)
        assert it.endpoint.counters.dropped == 2

    run(scene)


def test_logs_show_no_secrets_of_an_address() -> None:
    assert shown("https://user:pass@example.com:8443/a/b?token=1#x") == "https://example.com:8443/a/b"
    assert shown("/pusher/hook?token=1") == "/pusher/hook"


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com/x", "//example.com/x", "", "http://", "http://a:x/"])
def test_other_addresses_are_faults(url: str) -> None:
    assert [key for key, _ in WebhookConfig(url=url).faults()] == ["url"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/x", "https://example.com", "/pusher/webhooks"])
def test_these_addresses_are_not(url: str) -> None:
    assert list(WebhookConfig(url=url).faults()) == []
