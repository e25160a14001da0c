"""The page for a worker that printed: it shows the text, escaped."""

from __future__ import annotations

from pyroadrunner.plugins.http.debug_page import debug_page
from pyroadrunner.plugins.http.errors import failure
from pyroadrunner.workers.errors import WorkerCrashed


def crashed(garbage: str, stderr: str = "") -> WorkerCrashed:
    return WorkerCrashed(42, "not a frame", 1, stderr, garbage)


def test_text_is_escaped_and_terminal_colours_are_removed() -> None:
    page = debug_page(crashed('\x1b[0;38;5;208m"<script>alert(1)</script>"\x1b[m', "last <b>words</b>")).decode()
    assert "<pre>&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot;</pre>" in page
    assert "last &lt;b&gt;words&lt;/b&gt;" in page
    assert "\x1b" not in page
    assert "Worker 42, exit code 1" in page


def test_the_page_is_sent_only_in_debug_mode() -> None:
    shown = failure(crashed("dumped"), 555, 503, debug=True)
    assert shown.status == 555
    assert (b"content-type", b"text/html; charset=utf-8") in shown.headers
    assert b"<pre>dumped</pre>" in shown.body
    assert failure(crashed("dumped"), 555, 503, debug=False).body == b""
    assert b"<pre>dumped</pre>" in failure(crashed("", "dumped"), 555, 503, debug=True).body
    assert failure(crashed(""), 555, 503, debug=True).headers == [(b"content-type", b"text/plain; charset=utf-8")]
