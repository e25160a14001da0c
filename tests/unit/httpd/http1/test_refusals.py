"""Counts and log lines of refused requests."""

from __future__ import annotations

import pytest

from pyroadrunner.httpd.http1 import refusals as module
from pyroadrunner.httpd.http1.refusals import Refusal, Refusals, bad_request
from pyroadrunner.log import Log
from support.log import logged


def test_one_line_a_second_is_logged_for_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    refusals = Refusals(Log("http"))
    with logged("http") as log:
        for _ in range(50):
            refusals.add(bad_request("line", "the line is bad"), "192.0.2.1:5")
        refusals.add(Refusal(431, "size", "too large"), "192.0.2.2:6")
        now[0] += 1.0
        refusals.add(bad_request("line", "the line is bad"), "192.0.2.3:7")
    lines = log.of("request refused")
    assert [(line["status"], line["reason"], line["remote_address"], line["times"]) for line in lines] == [
        (400, "the line is bad", "192.0.2.1:5", 1),
        (431, "too large", "192.0.2.2:6", 1),
        (400, "the line is bad", "192.0.2.3:7", 50),
    ]
    assert refusals.counts == {"line": 51, "size": 1}
