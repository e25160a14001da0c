"""The section: what it refuses, what it doubts."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.config.check import check
from pyroadrunner.config.effective import effective
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.plugins.dashboard.config import DashboardConfig

TOKEN = "0123456789abcdef"


def told(section: dict[str, Any]) -> tuple[list[str], list[str]]:
    checked = check(RawConfig.from_dict({"version": "3", "dashboard": section}, "test"), {"dashboard": DashboardConfig})
    return [str(fault) for fault in checked.faults], [str(warning) for warning in checked.warnings]


def test_a_token_or_users_are_required() -> None:
    [fault] = told({})[0]
    assert "needs a `token` or `users`" in fault
    assert told({"token": TOKEN}) == ([], [])
    assert told({"users": {"ann": {"password": "password"}}}) == ([], [])


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"token": "short"}, "at least 16 characters"),
        ({"users": {"ann": {"password": "short"}}}, "at least 8 characters"),
        ({"token": TOKEN, "address": "nowhere"}, "address"),
        ({"token": TOKEN, "ssl": {"cert": "a"}}, "key"),
    ],
)
def test_weak_and_wrong_values_are_refused(section: dict[str, Any], text: str) -> None:
    assert text in " ".join(told(section)[0])


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("127.0.0.1:1", False),
        ("localhost:1", False),
        ("[::1]:1", False),
        ("unix://x.sock", False),
        (":2115", True),
        ("0.0.0.0:1", True),
        ("ops.example.com:1", True),
    ],
)
def test_a_public_address_without_tls_is_doubted(address: str, warned: bool) -> None:
    assert bool(told({"token": TOKEN, "address": address})[1]) is warned
    tls = {"cert": "a", "key": "b"}
    assert not told({"token": TOKEN, "address": address, "ssl": tls})[1]


def test_secrets_are_masked() -> None:
    raw = RawConfig.from_dict(
        {"version": "3", "dashboard": {"token": TOKEN, "users": {"ann": {"password": "hidden-word"}}}}, "test"
    )
    models = {"dashboard": DashboardConfig}
    shown = str(effective(raw, check(raw, models), models))
    assert TOKEN not in shown
    assert "hidden-word" not in shown
