"""The support for tests in a browser: see ``support/browser.py``."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect

from support.browser import PHONE, Browser
from support.server import Server

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\Http\\{Request, Response};

PyRoadRunner\\Http\\Server::run(static fn (Request $request) => match ($request->path()) {
    '/' => new Response(headers: ['Content-Type' => 'text/html; charset=utf-8'], body: <<<'HTML'
        <!doctype html><title>Hello</title><link rel="icon" href="data:,">
        <style>h1 { color: black } @media (prefers-color-scheme: dark) { h1 { color: white } }</style>
        <meta name="viewport" content="width=device-width"><h1>Hello</h1><p></p><button>Press</button>
        <script>
            document.querySelector('button').onclick = () => { document.querySelector('p').textContent = 'pressed' }
        </script>
        HTML),
    '/broken' => new Response(headers: ['Content-Type' => 'text/html'], body: <<<'HTML'
        <!doctype html><title>Broken</title><link rel="icon" href="data:,"><img src="/missing">
        <img src="http://192.0.2.1/"><img src="http://example.com/"><img src="http://a.localhost:1/">
        <script>console.error('said'); new WebSocket('ws://198.51.100.1/'); throw new Error('thrown')</script>
        HTML),
    default => new Response(404, 'no'),
});
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("browser")
    (folder / "worker.php").write_text(WORKER)
    config = {"server": {"command": "php worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with Server(folder, config) as server:
        yield server


def test_pages_of_the_server(browser: Browser, server: Server) -> None:
    with browser.page(server.url) as desk, browser.page(server.url, dark=True, phone=True) as phone:
        desk.page.get_by_role("button", name="Press").click()
        expect(desk.page.locator("p")).to_have_text("pressed")
        expect(phone.page.locator("p")).to_have_text("")
        expect(desk.page.locator("h1")).to_have_css("color", "rgb(0, 0, 0)")
        expect(phone.page.locator("h1")).to_have_css("color", "rgb(255, 255, 255)")
        assert (desk.overflow(), phone.overflow()) == (0, 0)
        picture = phone.picture("hello").read_bytes()
        assert struct.unpack_from(">II", picture, 16) == PHONE


def test_a_page_with_problems_fails_its_test(browser: Browser, server: Server) -> None:
    def broken(*expected: str) -> list[str]:
        with browser.page(f"{server.url}/broken", expected=expected) as page:
            page.page.wait_for_load_state("networkidle")
        return page.problems

    problems = broken(".")
    assert [text for text in problems if "said" in text or "thrown" in text] == ["error: said", "thrown: thrown"]
    assert f"failed: GET {server.url}/missing: 404" in problems
    for address in ("http://192.0.2.1/", "http://example.com/"):
        assert f"failed: GET {address}: net::ERR_NAME_NOT_RESOLVED" in problems
    assert "failed: GET http://a.localhost:1/: net::ERR_UNSAFE_PORT" in problems
    assert [text for text in problems if "ws://198.51.100.1/" in text and "ERR_NAME_NOT_RESOLVED" in text]
    with pytest.raises(AssertionError, match="thrown"):
        broken("failed|error")


def test_an_error_of_the_test_names_the_problems_of_the_page(browser: Browser, server: Server) -> None:
    def fails() -> None:
        with browser.page(f"{server.url}/broken") as page:
            page.page.wait_for_load_state("networkidle")
            page.page.evaluate("unknown")

    with pytest.raises(Error) as error:
        fails()
    assert "error: said" in str(error.value.__notes__)


def test_other_tests_have_event_loops_between_those_with_a_browser(tmp_path: Path, chromium: Browser) -> None:
    async def nothing() -> None: ...

    for _ in range(2):
        chromium.resume()
        with chromium.page() as page:
            assert page.page.evaluate("1 + 1") == 2
        chromium.pause()
        asyncio.run(nothing())
