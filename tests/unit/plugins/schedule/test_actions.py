"""What actions send, with fakes of the plugins they use."""

from __future__ import annotations

import asyncio

import pytest

from pyroadrunner.contracts import AppRequest, AppResponse, HandlesRequests, NewJob, PushesJobs
from pyroadrunner.plugins.schedule.actions.contract import ActionFailed, Occasion
from pyroadrunner.plugins.schedule.actions.job import PushJob
from pyroadrunner.plugins.schedule.actions.request import SendRequest
from pyroadrunner.plugins.schedule.config import HttpAction, JobAction

OCCASION = Occasion(id="7", entry="report", time="2026-06-01T10:00:00+00:00", trace=[(b"traceparent", b"00-1")])


class FakeJobs(PushesJobs):
    def __init__(self) -> None:
        self.pushed: list[NewJob] = []

    async def push_job(self, job: NewJob) -> None:
        self.pushed.append(job)


class FakeHttp(HandlesRequests):
    def __init__(self, status: int = 200, body: bytes = b"", *, complete: bool = True) -> None:
        self.asked: list[AppRequest] = []
        self._response = AppResponse(status=status, headers=[], body=body, complete=complete)

    async def handle_request(self, request: AppRequest) -> AppResponse:
        self.asked.append(request)
        return self._response


def test_a_job_has_the_id_of_the_run_and_says_where_it_comes_from() -> None:
    jobs = FakeJobs()
    config = JobAction(pipeline="mails", name="Report", payload="ä", headers={"a": "b"}, priority=2, delay=9)
    action = PushJob(config, jobs)
    assert str(action) == "job Report -> mails"
    assert asyncio.run(action.run(OCCASION)) == "pushed 7"
    assert jobs.pushed == [
        NewJob(
            id="7",
            name="Report",
            pipeline="mails",
            payload="ä".encode(),
            headers={
                "traceparent": ["00-1"],
                "a": ["b"],
                "rr_schedule_entry": ["report"],
                "rr_schedule_time": ["2026-06-01T10:00:00+00:00"],
            },
            priority=2,
            delay=9,
        )
    ]


def test_a_request_has_the_config_and_attributes_that_no_client_can_set() -> None:
    http = FakeHttp(204)
    config = HttpAction(path="/cron?a=b", method="POST", headers={"X-Token": "t"}, body="{}")
    action = SendRequest(config, http)
    assert str(action) == "POST /cron?a=b"
    assert asyncio.run(action.run(OCCASION)) == "status 204"
    assert http.asked == [
        AppRequest(
            path="/cron?a=b",
            method="POST",
            headers=[(b"x-token", b"t"), (b"traceparent", b"00-1")],
            body=b"{}",
            attributes={
                "schedule_entry": "report",
                "schedule_run": "7",
                "schedule_time": "2026-06-01T10:00:00+00:00",
            },
        )
    ]


@pytest.mark.parametrize(
    ("http", "message"),
    [
        (FakeHttp(404), "status 404"),
        (FakeHttp(500, b"no\n database"), "status 500: no database"),
        (FakeHttp(200, complete=False), "status 200, but the response was cut off"),
    ],
)
def test_a_response_that_is_an_error_or_no_whole_one_is_a_failure(http: FakeHttp, message: str) -> None:
    with pytest.raises(ActionFailed) as failed:
        asyncio.run(SendRequest(HttpAction(path="/"), http).run(OCCASION))
    assert str(failed.value) == message
