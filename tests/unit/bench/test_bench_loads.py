"""The loads are what the page says of them, and a wrong answer is noticed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from bench import bare, classes, nginx
from bench.loads import BOOT, BROWSER, HELLO, LOADS, POST, SERIAL

from pyroadrunner.goridge.reader import FrameReader

GOOD_HEADERS = [(name, "value") for name in BROWSER.answer_headers]


def test_names_and_titles_are_unique() -> None:
    assert len({load.name for load in LOADS}) == len({load.title for load in LOADS}) == len(LOADS)


def test_the_browser_sends_twelve_headers_with_four_cookies_two_of_them_long() -> None:
    assert len(BROWSER.sent_headers) == 12
    name, line = BROWSER.sent_headers[-1]
    assert name == "Cookie"
    values = [cookie.partition("=")[2] for cookie in line.split("; ")]
    assert len(values) == 4
    long = [value for value in values if len(value) == 180]
    assert len(long) == 2
    assert all(value.endswith("%3D") and value.count(SERIAL) == 1 for value in long)


def test_the_answer_to_a_browser_has_eight_headers_and_a_page() -> None:
    assert len(BROWSER.answer_headers) == 8
    assert BROWSER.answer_headers.count("Set-Cookie") == 2
    assert 1000 < len(BROWSER.answer) < 2000


def test_only_a_post_has_a_type_and_a_hello_sends_no_headers() -> None:
    assert POST.sent_headers == [("Content-Type", "application/octet-stream")]
    assert HELLO.sent_headers == []


def test_an_answer_needs_status_body_and_headers_in_any_case() -> None:
    small = [(name.lower(), value) for name, value in GOOD_HEADERS]
    assert BROWSER.accepts(200, [*small, ("date", "today")], BROWSER.answer)
    assert not BROWSER.accepts(500, GOOD_HEADERS, BROWSER.answer)
    assert not BROWSER.accepts(200, GOOD_HEADERS, BROWSER.answer[:-1])


@pytest.mark.parametrize("lost", range(len(GOOD_HEADERS)))
def test_an_answer_that_lacks_a_header_is_refused(lost: int) -> None:
    kept = [header for number, header in enumerate(GOOD_HEADERS) if number != lost]
    assert not BROWSER.accepts(200, kept, BROWSER.answer)


def test_a_bare_worker_gets_headers_and_decoded_cookies() -> None:
    (frame,) = FrameReader().feed(bare.request(BROWSER))
    context = json.loads(frame.payload[: frame.options[0]])
    assert context["headers"] == {name: [value] for name, value in BROWSER.sent_headers}
    assert context["cookies"] == {name: unquote(value) for name, value in BROWSER.cookies}
    assert context["cookies"]["laravel_session"].endswith("=")


def test_a_boot_loads_200_class_files_that_opcache_keeps(tmp_path: Path) -> None:
    folder = tmp_path / "classes"
    assert classes.write(folder) == {"BENCH_CLASSES": str(folder)}
    files = list(folder.glob("Module*/*.php"))
    assert len(files) == 200
    assert b"200" in BOOT.answer
    assert (folder / "services.php").read_text().count("::class") == 160
    assert all(time.time() - file.stat().st_mtime > 60 for file in folder.rglob("*.php"))


def test_nginx_does_not_keep_connections_to_php_fpm(tmp_path: Path) -> None:
    config = nginx.nginx_config(tmp_path, 1, 8080)
    settings = {line.split()[0] for line in config.splitlines() if line.strip()}
    assert "fastcgi_pass" in settings
    assert not settings & {"fastcgi_keep_conn", "keepalive", "upstream"}
    assert f'fastcgi_param BENCH_CLASSES "{tmp_path}/classes";' in config
