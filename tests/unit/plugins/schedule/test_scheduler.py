"""The scheduler in virtual time, with wall clocks that jump and differ."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from pyroadrunner.plugins.schedule.errors import NoSuchEntry, Stopping
from pyroadrunner.plugins.schedule.run import Run
from pyroadrunner.plugins.schedule.store import Answer, Overlap
from support.schedule import START, Done, FakeAction, FakeServer, KeptStore, WallClock, entry
from support.tracing import KeptTracing
from support.virtual_time import in_virtual_time

HOUR = 3_600_000


def clock(ms: int) -> str:
    return datetime.fromtimestamp((START + ms) / 1000, UTC).isoformat()[11:19]


def minutes(*numbers: int) -> list[str]:
    return [clock(number * 60_000) for number in numbers]


@in_virtual_time
async def test_an_entry_runs_at_its_times() -> None:
    done = Done()
    async with FakeServer(done, every={"cron": "*/20 * * * *"}, fast={"interval": "15m"}):
        await asyncio.sleep(3600.5)
    assert done.times("every") == minutes(20, 40, 60)
    assert done.times("fast") == minutes(15, 30, 45, 60)


@in_virtual_time
async def test_a_run_begins_at_its_time_and_with_jitter_within_it() -> None:
    done = Done()
    async with FakeServer(done, exact={"cron": "0 * * * *"}, late={"cron": "0 * * * *", "jitter": "10m"}) as server:
        await asyncio.sleep(3600 + 700)
        for name, limit in (("exact", 0), ("late", 600_000)):
            [run] = await server.scheduler.history(server.entries[name], 5)
            assert run.slot == START + HOUR
            assert 0 <= run.began - run.slot <= limit
        [planned] = server.scheduler.next_runs(server.entries["late"], 1)
        assert START + 2 * HOUR < planned <= START + 2 * HOUR + 600_000


@in_virtual_time
async def test_a_hundred_entries_on_two_servers_with_different_clocks_each_run_once() -> None:
    done, store = Done(), KeptStore()
    names = {f"e{n}": {"cron": f"*/{n % 7 + 1} * * * *", "jitter": "5s", "overlap": "allow"} for n in range(100)}
    async with (
        FakeServer(done, store, clock=WallClock(ahead=32_500), **names),
        FakeServer(done, store, clock=WallClock(ahead=27_500), **names),
    ):
        await asyncio.sleep(1800)
    assert set(done.slots.values()) == {1}
    for n in range(100):
        assert done.times(f"e{n}") == minutes(*[m for m in range(1, 60) if m % (n % 7 + 1) == 0 and m <= 30])


NIGHTS = {"2026-03-28 23:00": "03:00:00+02:00", "2026-10-24 23:00": "02:30:00+02:00"}  # begin; the run of 2:30


@pytest.mark.parametrize(("begin", "expected"), NIGHTS.items())
def test_through_a_change_of_daylight_saving_time_two_servers_run_each_time_once(begin: str, expected: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(begin).replace(tzinfo=zone)
    end = start.replace(day=start.day + 1, hour=5, minute=0)

    @in_virtual_time
    async def run() -> Done:
        done, store = Done(), KeptStore()
        keys = {"timezone": "Europe/Berlin"}
        entries = {
            "fixed": {"cron": "30 2 * * *", **keys},
            "often": {"cron": "*/30 * * * *", **keys},
            "hours": {"interval": "1h"},
        }
        now = int(start.timestamp() * 1000) + 1
        async with (
            FakeServer(done, store, clock=WallClock(1500, now), **entries),
            FakeServer(done, store, clock=WallClock(-1500, now), **entries),
        ):
            await asyncio.sleep(end.timestamp() - start.timestamp() - 60)
        return done

    done = run()
    assert set(done.slots.values()) == {1}
    begun = start.timestamp()
    slots = {
        name: sorted(datetime.fromisoformat(time).timestamp() - begun for entry, time in done.slots if entry == name)
        for name in ("fixed", "often", "hours")
    }
    [fixed] = slots["fixed"]
    assert datetime.fromtimestamp(begun + fixed, zone).isoformat()[11:] == expected
    for name, seconds in (("often", 1800.0), ("hours", 3600.0)):
        first, *more = slots[name]
        assert first in (0.0, seconds)
        assert more == [first + seconds * n for n in range(1, len(more) + 1)]
        assert slots[name][-1] + seconds >= end.timestamp() - begun


@in_virtual_time
async def test_a_clock_that_is_set_forward_an_hour_runs_nothing_twice_and_skips_or_catches_up_what_it_missed() -> None:
    done = Done()
    policies = {name: {"cron": "*/10 * * * *", "catch_up": name} for name in ("skip", "last", "all")}
    async with FakeServer(done, KeptStore(), **policies) as server:
        await asyncio.sleep(15 * 60)
        server.clock.step(HOUR)  # 00:15 -> 01:15
        await asyncio.sleep(10 * 60)
        assert server.entries["skip"].figures.missed == 6
    assert set(done.slots.values()) == {1}
    assert done.times("skip") == minutes(10, 80)
    assert done.times("last") == minutes(10, 70, 80)
    assert done.times("all") == minutes(10, 20, 30, 40, 50, 60, 70, 80)


@in_virtual_time
async def test_a_clock_that_is_set_back_an_hour_runs_nothing_twice() -> None:
    done = Done()
    async with FakeServer(done, every={"cron": "*/10 * * * *"}, fast={"interval": "30s"}) as server:
        await asyncio.sleep(65 * 60)
        server.clock.step(-HOUR)
        await asyncio.sleep(70 * 60)
    assert set(done.slots.values()) == {1}
    assert done.times("every") == minutes(10, 20, 30, 40, 50, 60, 70)
    assert len(done.times("fast")) == 2 * 75 - 1


@in_virtual_time
async def test_a_clock_that_was_wrong_by_years_does_not_stop_the_schedule() -> None:
    done, store = Done(), KeptStore()
    async with FakeServer(done, store, clock=WallClock(ahead=10_000 * 24 * HOUR), every={"interval": "1m"}) as server:
        await asyncio.sleep(90)
        server.clock.step(-10_000 * 24 * HOUR)
        await asyncio.sleep(120)
    assert done.times("every").count(clock(60_000)) >= 1
    async with FakeServer(done, store, every={"interval": "1m"}):
        await asyncio.sleep(61)
    assert set(done.slots.values()) == {1}


@in_virtual_time
async def test_a_restart_repeats_nothing_and_does_what_became_due_meanwhile() -> None:
    done, store = Done(), KeptStore()
    wall = WallClock()
    async with FakeServer(done, store, clock=wall, every={"cron": "*/10 * * * *"}):
        await asyncio.sleep(600 - 5)
    await asyncio.sleep(20)  # 00:10:00 is in it
    async with FakeServer(done, store, clock=wall, every={"cron": "*/10 * * * *"}):
        await asyncio.sleep(5)
        assert done.times("every") == minutes(10)
    async with FakeServer(done, store, clock=wall, every={"cron": "*/10 * * * *"}):
        await asyncio.sleep(600)
    assert done.times("every") == minutes(10, 20)


@in_virtual_time
async def test_a_server_that_dies_in_mid_run_leaves_an_interrupted_run_that_is_not_repeated() -> None:
    done, store, wall = Done(), KeptStore(), WallClock()
    server = FakeServer(done, store, clock=wall, seconds=30, every={"cron": "*/10 * * * *", "catch_up": "all"})
    async with server:
        await asyncio.sleep(605)
        server.scheduler._store = KeptStore()  # what it says from now on does not arrive
        await server.crash()
    await asyncio.sleep(60)
    async with FakeServer(done, store, clock=wall, every={"cron": "*/10 * * * *", "catch_up": "all"}) as again:
        await asyncio.sleep(30)
        [run] = await again.scheduler.history(again.entries["every"], 5)
        assert run.outcome == "interrupted"
    assert done.times("every") == minutes(10)


@in_virtual_time
async def test_an_entry_that_is_running_is_skipped_on_every_server() -> None:
    done, store, wall = Done(), KeptStore(), WallClock()
    keys = {"interval": "10s", "overlap": "skip"}
    async with (
        FakeServer(done, store, clock=wall, seconds=25, long=keys) as one,
        FakeServer(done, store, clock=wall, seconds=25, long=keys) as other,
    ):
        await asyncio.sleep(65)
        runs = await one.scheduler.history(one.entries["long"], 20)
        skipped = sum(server.entries["long"].figures.outcomes["skipped"] for server in (one, other))
    assert done.most["long"] == 1
    assert set(done.slots.values()) == {1}
    assert done.times("long") == [clock(10_000), clock(40_000)]
    assert skipped == 4
    assert [run.outcome for run in runs] == ["skipped", "skipped", "running", "skipped", "skipped", "ok"]


@in_virtual_time
async def test_queued_runs_follow_each_other_across_servers_and_none_is_lost() -> None:
    done, store, wall = Done(), KeptStore(), WallClock()
    keys = {"interval": "10s", "overlap": "queue"}
    async with (
        FakeServer(done, store, clock=wall, seconds=12, long=keys),
        FakeServer(done, store, clock=wall, seconds=12, long=keys),
    ):
        await asyncio.sleep(100)
    assert done.most["long"] == 1
    assert set(done.slots.values()) == {1}
    assert done.times("long") == [clock(10_000 * n) for n in range(1, len(done.slots) + 1)]
    assert len(done.slots) >= 6


@in_virtual_time
async def test_runs_may_overlap_if_allowed() -> None:
    done = Done()
    async with FakeServer(done, seconds=25, long={"interval": "10s", "overlap": "allow"}):
        await asyncio.sleep(60)
    assert done.most["long"] == 3


@in_virtual_time
async def test_a_failure_is_recorded_with_its_reason_and_duration() -> None:
    async with FakeServer(Done(), seconds=2, fails="exit status 1", every={"interval": "1m"}) as server:
        await asyncio.sleep(65)
        [run] = await server.scheduler.history(server.entries["every"], 5)
        assert (run.outcome, run.detail, run.ended - run.began) == ("failed", "exit status 1", 2000)
        assert server.entries["every"].figures.outcomes == {"failed": 1}


@in_virtual_time
async def test_a_run_that_takes_too_long_has_failed() -> None:
    async with FakeServer(Done(), seconds=100, every={"interval": "1m", "timeout": "5s"}) as server:
        await asyncio.sleep(70)
        [run] = await server.scheduler.history(server.entries["every"], 5)
        assert (run.outcome, run.detail) == ("failed", "took longer than 5 s")


@in_virtual_time
async def test_a_stop_waits_for_running_actions_and_cancels_them_when_the_grace_period_ends() -> None:
    for seconds, outcome in ((15, "ok"), (50, "failed")):
        server = FakeServer(Done(), seconds=seconds, every={"interval": "1m"})
        loop = asyncio.get_running_loop()
        async with server:
            await asyncio.sleep(65)
            began = loop.time()
            await server.stop(grace=30)
            assert loop.time() - began <= 30
            [run] = await server.scheduler.history(server.entries["every"], 5)
            assert run.outcome == outcome
            assert not server.entries["every"].running


@in_virtual_time
async def test_a_stop_without_running_actions_takes_no_time_and_leaves_delayed_runs_to_others() -> None:
    done, store, wall = Done(), KeptStore(), WallClock()
    loop = asyncio.get_running_loop()
    keys = {"cron": "0 * * * *", "jitter": "50s"}
    server = FakeServer(done, store, clock=wall, report=keys)
    async with server:
        delay = (server.scheduler.next_runs(server.entries["report"], 1)[0] - START - HOUR) / 1000
        assert delay > 2
        await asyncio.sleep(3600 + delay / 2)
        began = loop.time()
        await server.stop(30)
        assert loop.time() == began
    assert not done.slots
    async with FakeServer(done, store, clock=wall, report=keys):
        await asyncio.sleep(delay)
    assert done.times("report") == [clock(HOUR)]


class SlowStore(KeptStore):
    """Takes a second to answer."""

    async def begin(self, run: Run, overlap: Overlap) -> Answer:
        answer = await super().begin(run, overlap)
        await asyncio.sleep(1)
        return answer


@in_virtual_time
async def test_a_stop_in_the_middle_of_a_claim_does_not_lose_the_run() -> None:
    done, store = Done(), SlowStore()
    server = FakeServer(done, store, every={"interval": "1m"})
    async with server:
        await asyncio.sleep(60.5)
        assert not done.slots
        await server.stop(grace=30)
    assert done.times("every") == minutes(1)
    [run] = await store.history("every", 5)
    assert run.outcome == "ok"


@in_virtual_time
async def test_a_trace_begins_with_a_run_and_goes_on_in_its_action() -> None:
    tracing = KeptTracing()
    action = FakeAction(Done(), fails="no")
    async with FakeServer(Done(), tracing=[tracing]) as server:
        server.scheduler.become({"report": entry("report", action, interval="1m")})
        await asyncio.sleep(65)
    assert action.occasions[0].trace == tracing.spans[0].headers()
    assert (tracing.spans[0].name, tracing.spans[0].failed, tracing.spans[0].ended) == ("schedule report", "no", 1)


@in_virtual_time
async def test_without_the_store_nothing_runs_and_a_run_is_given_up_after_a_minute() -> None:
    done, store = Done(), KeptStore()
    async with FakeServer(
        done, store, every={"interval": "10m"}, kept={"interval": "10m", "catch_up": "last"}
    ) as server:
        await asyncio.sleep(60)
        store.away = True
        await asyncio.sleep(9 * 60 + 90)
        assert server.scheduler.store_lost == "the store is away"
        assert not done.slots
        assert server.entries["every"].figures.missed == 1
        store.away = False
        await asyncio.sleep(5)
        assert server.scheduler.store_lost == ""
        assert done.times("kept") == minutes(10)
        assert done.times("every") == []


@in_virtual_time
async def test_a_store_that_is_away_at_the_start_delays_the_schedule_only() -> None:
    done, store = Done(), KeptStore()
    store.away = True
    async with FakeServer(done, store, every={"interval": "1m"}):
        await asyncio.sleep(30)
        store.away = False
        await asyncio.sleep(60)
    assert done.times("every") == minutes(1)


@in_virtual_time
async def test_a_store_that_is_away_at_the_end_of_a_run_gets_the_record_later() -> None:
    store = KeptStore()
    async with FakeServer(Done(), store, seconds=5, every={"interval": "10m"}) as server:
        await asyncio.sleep(601)
        store.away = True
        await asyncio.sleep(30)
        store.away = False
        await asyncio.sleep(5)
        [run] = await server.scheduler.history(server.entries["every"], 5)
        assert run.outcome == "ok"


@in_virtual_time
async def test_an_entry_that_can_not_be_planned_does_not_stop_the_others() -> None:
    class Broken:
        def slots(self, after: int) -> Iterator[int]:
            raise OverflowError("date value out of range")

    done = Done()
    server = FakeServer(done, broken={"interval": "1m"}, every={"interval": "1m"})
    server.entries["broken"].timetable = Broken()
    async with server:
        await asyncio.sleep(125)
    assert done.times("every") == minutes(1, 2)


@in_virtual_time
async def test_a_manual_run_claims_no_slot_and_respects_the_policy() -> None:
    done = Done()
    async with FakeServer(done, seconds=5, every={"interval": "1m"}) as server:
        run = await server.scheduler.run_now(server.scheduler.find("Every"))
        assert (run.trigger, run.outcome) == ("manual", "ok")
        await asyncio.sleep(57)
        run = await server.scheduler.run_now(server.entries["every"])
        assert (run.outcome, run.detail) == ("skipped", "the previous run was still running")
        await asyncio.sleep(5)
        assert minutes(1)[0] in done.times("every")
        with pytest.raises(NoSuchEntry, match="no such entry of schedule: nope; there are: every"):
            server.scheduler.find("nope")
        await server.stop()
        with pytest.raises(Stopping):
            await server.scheduler.run_now(server.entries["every"])


@in_virtual_time
async def test_changed_entries_begin_now_and_the_others_go_on() -> None:
    done = Done()
    async with FakeServer(done, kept={"interval": "10m"}, gone={"interval": "10m"}, changed={"interval": "10m"}) as one:
        await asyncio.sleep(60)
        action = FakeAction(done)
        one.scheduler.become(
            {
                "kept": one.entries["kept"],
                "changed": entry("changed", action, interval="4m"),
                "new": entry("new", action, cron="*/3 * * * *"),
            }
        )
        await asyncio.sleep(9.5 * 60)
    assert done.times("kept") == minutes(10)
    assert done.times("gone") == []
    assert done.times("changed") == minutes(4, 8)
    assert done.times("new") == minutes(3, 6, 9)


@in_virtual_time
async def test_a_delayed_run_of_an_entry_that_a_reload_has_removed_does_not_happen() -> None:
    done = Done()
    async with FakeServer(done, late={"cron": "0 * * * *", "jitter": "50s"}) as server:
        await asyncio.sleep(3600)
        server.scheduler.become({})
        await asyncio.sleep(60)
    assert not done.slots
