"""Pages in headless Chromium, driven by Playwright.

    def test_the_chat(browser: Browser) -> None:
        with browser.page(server.url) as ann, browser.page(server.url, dark=True) as ben:
            ann.page.get_by_label("Message").fill("hello")
            expect(ben.page.locator("li")).to_have_text("hello")
            ann.picture("chat")

The fixture ``browser`` (``tests/conftest.py``) starts one Chromium for each process of the test run, when its first
test needs one. Each page has cookies and storage of its own. Requests to hosts other than ``localhost``,
``*.localhost``, ``127.0.0.1`` and ``[::1]`` fail.

A page that logs an error or fails to load something fails its test: see :meth:`Browser.page`. With
``RR_PICTURES=FOLDER`` pictures are written there.

While a test uses the browser, Playwright's event loop counts as running in its thread, so ``asyncio.run`` fails there.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import ConsoleMessage, Playwright, Request, Response, expect, sync_playwright
from playwright.sync_api import Page as PlaywrightPage

PATIENCE_MS = 60_000.0  # for any wait; a limit for failures
DESK = (960, 640)
PHONE = (390, 760)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "Google Chrome")
_FLAGS = (
    "--disable-dev-shm-usage",  # small in containers
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-color-profile=srgb",  # the same pictures everywhere
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
)

expect.set_options(timeout=PATIENCE_MS)


def require_chromium() -> str:
    """Path of Chromium (``RR_CHROMIUM`` or from ``PATH``). Without it the test is skipped."""
    path = os.environ.get("RR_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    return path


class Page:
    """A page; what is not here is in :attr:`page`, the page of Playwright.

    Attributes:
        page: the page of Playwright.
        problems: what the page logged as an error, threw, or could not load, in order.
        closing: the end of the page cuts its event streams, which is no problem.
    """

    def __init__(self, page: PlaywrightPage, pictures: Path) -> None:
        self.page = page
        self.problems: list[str] = []
        self.closing = False
        self._pictures = pictures
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"thrown: {error}"))
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)

    def picture(self, name: str) -> Path:
        """Write a picture of what is visible to ``NAME.png``."""
        self._pictures.mkdir(parents=True, exist_ok=True)
        path = self._pictures / f"{name}.png"
        self.page.screenshot(path=path, animations="disabled", caret="hide", scale="css")
        return path

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        width = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert isinstance(width, int)
        return width

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")

    def _on_failed(self, request: Request) -> None:
        if self.closing and request.failure == "net::ERR_ABORTED":
            return
        self.problems.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"failed: {response.request.method} {response.url}: {response.status}")


class Browser:
    """Chromium, started for the first page.

    Args:
        folder: for pictures, unless ``RR_PICTURES`` names another one.
    """

    def __init__(self, folder: Path) -> None:
        self._pictures = Path(os.environ.get("RR_PICTURES") or folder)
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def resume(self) -> None:
        """Begin a test: start Chromium, or let its event loop count as running again."""
        if self._chromium is not None:
            asyncio._set_running_loop(self._loop)
            return
        path = require_chromium()
        self._playwright = sync_playwright().start()
        self._loop = asyncio.get_running_loop()
        self._chromium = self._playwright.chromium.launch(
            executable_path=path, args=_FLAGS, chromium_sandbox=False, timeout=PATIENCE_MS
        )

    def pause(self) -> None:
        """End a test: others use event loops of their own."""
        asyncio._set_running_loop(None)

    def close(self) -> None:
        if self._playwright is not None and self._chromium is not None:
            asyncio._set_running_loop(self._loop)
            self._chromium.close()
            self._playwright.stop()
            self._chromium = self._playwright = None
            asyncio._set_running_loop(None)

    @contextmanager
    def page(
        self,
        url: str = "",
        *,
        dark: bool = False,
        phone: bool = False,
        any_certificate: bool = False,
        expected: Sequence[str] = (),
    ) -> Iterator[Page]:
        """A page, until the end of the ``with``.

        Args:
            url: is opened first.
            dark: the browser says that its user prefers dark colours.
            phone: it has the size and touch screen of a phone.
            any_certificate: certificates of unknown authorities are good.
            expected: patterns of problems that the test provokes.

        Raises:
            AssertionError: at the end, the page had other problems.
        """
        assert self._chromium is not None, "a test needs the fixture `browser`"
        width, height = PHONE if phone else DESK
        with self._chromium.new_context(
            color_scheme="dark" if dark else "light",
            has_touch=phone,
            ignore_https_errors=any_certificate,
            is_mobile=phone,
            locale="en-GB",
            reduced_motion="reduce",
            timezone_id="UTC",
            viewport={"width": width, "height": height},
        ) as context:
            context.set_default_timeout(PATIENCE_MS)
            page = Page(context.new_page(), self._pictures)
            try:
                if url:
                    page.page.goto(url)
                yield page
            except BaseException as error:
                error.add_note(f"problems of {page.page.url}: {page.problems}")
                raise
            finally:
                page.closing = True
        allowed = [re.compile(pattern) for pattern in expected]
        problems = [text for text in page.problems if not any(one.search(text) for one in allowed)]
        assert not problems, f"problems of {url}: {problems}"
