from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from pyroadrunner.cli.serve.announce import on_terminal, ready

NOW = datetime(2026, 11, 24, 3, 4, 5)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "stop signal received, grace timeout is: 30 seconds",
            "\r03:04:05 stopping: running requests have 30 s to finish; press Ctrl-C again to stop immediately",
        ),
        ("exit forced", "\r03:04:05 stopped immediately, without waiting for requests"),
        ("[INFO] sdnotify: notified", "03:04:05 sdnotify: notified"),
        ("restart signal [SIGUSR2] received", "03:04:05 restart signal [SIGUSR2] received"),
    ],
)
def test_lines_look_like_those_of_the_log(said: str, shown: str) -> None:
    assert on_terminal(said, NOW) == shown


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"http": {"address": "127.0.0.1:8080"}}, " on http://127.0.0.1:8080"),
        ({"http": {"address": ":8080"}}, " on http://127.0.0.1:8080"),
        ({"http": {"address": "0.0.0.0:80"}}, " on http://127.0.0.1:80"),
        ({"http": {"address": "unix:///run/rr.sock"}}, ""),
        ({"http": None}, ""),
        ({}, ""),
    ],
)
def test_the_address_is_a_clickable_url(config: dict[str, Any], where: str) -> None:
    assert ready(config, "1.0", "2025.1") == (
        f"ready{where}: pyroadrunner 1.0, compatible with RoadRunner 2025.1; Ctrl-C stops it"
    )


def test_ready_stands_out_on_a_terminal_with_colours() -> None:
    assert on_terminal("ready: x", NOW, coloured=True) == "\x1b[2m03:04:05\x1b[0m \x1b[1;32mready\x1b[0m: x"
    assert on_terminal("stopped", NOW, coloured=True) == "\x1b[2m03:04:05\x1b[0m stopped"
