"""What ``rr workers`` prints, from plain data."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from pyroadrunner.cli.top.redraw import screen
from pyroadrunner.cli.workers.box_drawing import Cell, draw
from pyroadrunner.cli.workers.render import as_json, text
from pyroadrunner.cli.workers.snapshot import PluginView
from support.rpc import CREATED, worker

NOW = CREATED / 1e9 + 2.5

ONE = """\
Workers of [http]:
┌───────┬────────┬───────┬────────┬───────┬───────────────┐
│  PID  │ STATUS │ EXECS │ MEMORY │ CPU % │    CREATED    │
├───────┼────────┼───────┼────────┼───────┼───────────────┤
│ 24427 │ ready  │ 1,234 │ 14 MB  │ 0.57  │ 2 seconds ago │
└───────┴────────┴───────┴────────┴───────┴───────────────┘"""

LIVE = """\
Workers of [http]:
┌─────┬─────────┬───────┬────────┬───────┬───────────────┬───────┬───────────┐
│ PID │ STATUS  │ EXECS │ MEMORY │ CPU % │    CREATED    │  FOR  │    NOW    │
├─────┼─────────┼───────┼────────┼───────┼───────────────┼───────┼───────────┤
│ 7   │ working │ 1,234 │ 14 MB  │ 0.57  │ 2 seconds ago │ 1.5 s │ GET /slow │
│ 8   │ ready   │ 1,234 │ 14 MB  │ 0.57  │ 2 seconds ago │       │           │
└─────┴─────────┴───────┴────────┴───────┴───────────────┴───────┴───────────┘"""

SERVICE = """\
Workers of [service]:
┌─────┬────────┬───────┬───────────────┐
│ PID │ MEMORY │ CPU % │    COMMAND    │
├─────┼────────┼───────┼───────────────┤
│ 7   │ 14 MB  │ 0.57  │ /bin/sleep 10 │
└─────┴────────┴───────┴───────────────┘"""

JOBS = """\
Jobs of [jobs]:
┌────────────────┬──────────┬────────┬────────────┬────────┬─────────┬──────────┐
│     STATUS     │ PIPELINE │ DRIVER │   QUEUE    │ ACTIVE │ DELAYED │ RESERVED │
├────────────────┼──────────┼────────┼────────────┼────────┼─────────┼──────────┤
│ READY          │ a        │ memory │ memory://a │ 1      │ 2       │ 3        │
│ PAUSED/STOPPED │ b        │ memory │ memory://b │ 0      │ 0       │ 0        │
└────────────────┴──────────┴────────┴────────────┴────────┴─────────┴──────────┘"""

FAILED = """\
Workers of [http]:
┌─────┬────────┬───────┬────────┬───────┬─────────┐
│ PID │ STATUS │ EXECS │ MEMORY │ CPU % │ CREATED │
├─────┼────────┼───────┼────────┼───────┼─────────┤
│ 0   │ boom   │ ERROR │ ERROR  │ ERROR │ ERROR   │
└─────┴────────┴───────┴────────┴───────┴─────────┘"""


def told(pid: int, **fields: Any) -> dict[str, Any]:
    """A worker as it comes over RPC."""
    data: dict[str, Any] = msgspec.to_builtins(worker(pid, **fields))
    return data


def pipeline(name: str, *, ready: bool, figures: tuple[int, int, int]) -> dict[str, Any]:
    active, delayed, reserved = figures
    return {
        "Pipeline": name,
        "Driver": "memory",
        "Queue": f"memory://{name}",
        "Active": active,
        "Delayed": delayed,
        "Reserved": reserved,
        "Ready": ready,
        "Priority": 10,
        "ErrorMessage": "",
    }


def test_the_table_is_roadrunners_to_the_letter() -> None:
    assert text([PluginView("http", [told(24427)])], NOW, coloured=False) == ONE


def test_the_live_view_shows_activity_and_duration_of_each_worker() -> None:
    busy = told(7, status_str="working", activity="GET /slow", activity_since=CREATED + 1_000_000_000)
    assert text([PluginView("http", [busy, told(8)])], NOW, coloured=False, live=True) == LIVE


def test_services_have_a_separate_table() -> None:
    view = PluginView("service", [told(7, command="/bin/sleep 10", status_str="", created=0)])
    assert text([view], NOW, coloured=False) == SERVICE


def test_pipelines_follow_all_workers_sorted_by_name() -> None:
    jobs = [pipeline("b", ready=False, figures=(0, 0, 0)), pipeline("a", ready=True, figures=(1, 2, 3))]
    views = [PluginView("jobs", [], jobs), PluginView("http", [told(24427)])]
    assert text(views, NOW, coloured=False) == f"{ONE}\n{JOBS}"


def test_an_error_is_shown_instead_of_the_workers() -> None:
    assert text([PluginView("http", error="boom")], NOW, coloured=False) == FAILED


def test_several_pools_are_distinguished() -> None:
    views = [PluginView("http", [told(1), told(2, pool="http.slow")])]
    lines = text(views, NOW, coloured=False).splitlines()
    assert "│ PID │   POOL    │ STATUS │" in lines[2]
    assert "│ 2   │ http.slow │ ready  │" in lines[5]


def test_a_plugin_without_workers_has_no_table() -> None:
    assert text([PluginView("jobs"), PluginView("http", [told(24427)])], NOW, coloured=False) == ONE
    assert text([], NOW, coloured=False) == "no workers"


@pytest.mark.parametrize(
    ("status", "code"),
    [("ready", "36"), ("working", "32"), ("inactive", "33"), ("invalid", "33"), ("stopped", "31"), ("errored", "31")],
)
def test_states_have_colours_that_do_not_move_the_borders(status: str, code: str) -> None:
    views = [PluginView("http", [told(1, status_str=status), told(2, status_str="maxJobsReached")])]
    plain = text(views, NOW, coloured=False)
    colourful = text(views, NOW, coloured=True)
    assert f"│ \x1b[{code}m{status}\x1b[0m " in colourful
    assert "\x1b[93mhttp\x1b[0m" in colourful
    assert colourful.replace(f"\x1b[{code}m", "").replace("\x1b[93m", "").replace("\x1b[0m", "") == plain


def test_an_untrusted_path_can_not_control_the_terminal() -> None:
    evil = told(1, activity="GET /\x1b]0;owned\x07\n\r", activity_since=CREATED)
    shown = text([PluginView("http", [evil])], NOW, coloured=False, live=True)
    assert "GET /?]0;owned???" in shown
    assert "\x1b" not in shown


def test_a_wide_table_is_truncated_at_the_terminals_edge() -> None:
    busy = told(1, activity="GET /" + "x" * 300, activity_since=CREATED)
    lines = text([PluginView("http", [busy])], NOW, coloured=True, width=150, live=True).splitlines()
    assert {len(line) for line in lines[1:]} == {150}
    assert all(line.endswith(" ≈") for line in lines[1:])


@pytest.mark.parametrize("width", [60, 80, 149])
def test_on_a_narrower_terminal_the_widest_cells_are_shortened(width: int) -> None:
    views = [PluginView("http", [told(1, activity="GET /" + "x" * 300, activity_since=CREATED)])]
    coloured = text(views, NOW, coloured=True, width=width, live=True)
    lines = re.sub(r"\x1b\[\d*m", "", coloured).splitlines()
    assert {len(line) for line in lines[1:]} == {width}
    if width > 60:  # below, not even short cells fit
        assert lines[1][-1] + lines[2][-1] + lines[-1][-1] == "┐│┘"
        assert "x ≈ │" in lines[4]
        assert "\x1b[36mready\x1b[0m" in coloured


def test_a_table_may_have_no_rows() -> None:
    assert draw(["a"], [], coloured=False).splitlines() == ["┌───┐", "│ A │", "├───┤", "└───┘"]
    assert draw(["a"], [[Cell("long")]], coloured=False).splitlines()[1] == "│  A   │"


def test_json() -> None:
    data = json.loads(as_json([PluginView("http", [told(1)]), PluginView("jobs", error="boom")]))
    assert data["http"]["workers"][0]["statusStr"] == "ready"
    assert data["jobs"] == {"workers": [], "jobs": [], "error": "boom"}


def test_a_screen_is_redrawn_without_scrolling() -> None:
    assert screen("a\nb", 24) == "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J"
    assert screen("\n".join("abc"), 3) == "\x1b[Ha\x1b[K\r\nb\x1b[K\r\n\x1b[J"
