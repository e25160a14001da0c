"""Output of a worker on stdout is shown only to developers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from support.php import require_php
from support.server import Server

PRINTS = Path(__file__).parents[1] / "support" / "workers" / "prints.php"


def server(folder: Path, how: str = "raw", **http: Any) -> Server:
    config = {
        "server": {"command": [require_php(), str(PRINTS), how]},
        "http": {"pool": {"num_workers": 1}, **http},
        "logs": {"level": "info"},
    }
    return Server(folder, config)


def get(server: Server, path: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    try:
        with urlopen(server.url + path, timeout=20) as answer:
            return answer.status, answer.headers["content-type"] or "", answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["content-type"] or "", error.read().decode()


@pytest.mark.parametrize("mode", [{"dev": True}, {"pool": {"debug": True}}])
def test_in_dev_mode_the_browser_shows_the_output(tmp_path: Path, mode: dict[str, Any]) -> None:
    with server(tmp_path, **mode) as running:
        status, kind, page = get(running, "/echo")
        assert (status, kind) == (500, "text/html; charset=utf-8")
        assert "<pre>&lt;b&gt;forgotten&lt;/b&gt;</pre>" in page
        assert "answer" not in page.partition("<pre>")[2].partition("</pre>")[0]
        page = get(running, "/var_dump")[2]
        assert "[&quot;first&quot;]=&gt;" in page
        assert "x" * 20_000 + "&quot;\n}\n</pre>" in page
        page = get(running, "/dd")[2]
        assert "[1] =&gt; two" in page
        assert "exit code 1" in page
        assert "<pre>on stderr" in page
        assert "<pre>firstsecond</pre>" in get(running, "/slow")[2]
        assert get(running, "/fine")[::2] == (200, "fine")
        assert "<b>forgotten</b>" in running.stderr


def test_a_dump_on_stderr_is_shown_as_well_if_the_worker_exits_because_of_it(tmp_path: Path) -> None:
    """Worker libraries redirect output to stderr; `dd()` then prints and exits."""
    with server(tmp_path, "buffered", dev=True) as running:
        status, kind, page = get(running, "/dd")
        assert (status, kind) == (500, "text/html; charset=utf-8")
        assert "<h1>The worker exited before it sent a response</h1>" in page
        assert "[1] =&gt; two" in page
        assert get(running, "/echo")[::2] == (200, "answer")
        running.wait_for("<b>forgotten</b>")


def test_without_dev_mode_the_client_sees_nothing_and_the_log_has_it(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        assert get(running, "/dd") == (500, "", "")
        assert get(running, "/fine")[::2] == (200, "fine")
        running.wait_for("[1] => two")
