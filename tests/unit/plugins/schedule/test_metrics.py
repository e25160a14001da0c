from __future__ import annotations

import asyncio

from pyroadrunner.plugins.schedule.metrics import schedule_metrics
from support.schedule import START, Done, FakeServer
from support.virtual_time import in_virtual_time


@in_virtual_time
async def test_the_metrics_of_an_entry() -> None:
    async with FakeServer(Done(), seconds=2, report={"interval": "1m"}, never={"at": "2020-01-01 00:00"}) as server:
        await asyncio.sleep(125)
        families = {family.name: family for family in schedule_metrics(server.scheduler, connected=True)}
        values = {
            (name, *sample.labels.values(), sample.suffix): sample.value
            for name, family in families.items()
            for sample in family.samples
        }
    assert values["rr_schedule_runs_total", "report", "ok", ""] == 2
    assert values["rr_schedule_runs_total", "never", "ok", ""] == 0
    assert values["rr_schedule_run_seconds", "report", "1", "_bucket"] == 0
    assert values["rr_schedule_run_seconds", "report", "5", "_bucket"] == 2
    assert values["rr_schedule_run_seconds", "report", "_sum"] == 4
    assert values["rr_schedule_run_seconds", "report", "_count"] == 2
    assert values["rr_schedule_running", "report", ""] == 0
    assert values["rr_schedule_missed_total", "report", ""] == 0
    assert values["rr_schedule_next_run_timestamp_seconds", "report", ""] == START / 1000 + 180
    assert values["rr_schedule_last_run_timestamp_seconds", "report", ""] == START / 1000 + 122
    assert values["rr_schedule_last_success_timestamp_seconds", "report", ""] == START / 1000 + 122
    assert values["rr_schedule_store_connected", ""] == 1
    assert ("rr_schedule_next_run_timestamp_seconds", "never", "") not in values
