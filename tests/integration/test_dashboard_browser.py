"""The dashboard in Chromium: every page, every action, a phone, the dark, the keyboard, hostile texts."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from playwright.sync_api import Locator, expect
from playwright.sync_api import Page as View

from pyroadrunner.net.address import parse_address
from pyroadrunner.sdk.jobs import Jobs
from pyroadrunner.sdk.rpc.blocking import RpcClient
from support.browser import Browser, Page
from support.dashboard import LIVE, TOKEN, Client, everything, site
from support.load import Load
from support.server import Server

HOSTILE = "<img src=x onerror=document.title='xss'><script>document.title='xss'</script>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with site(tmp_path_factory.mktemp("dashboard"), **everything()) as server:
        yield server
        assert server.stop() == 0


@contextmanager
def signed_in(
    browser: Browser,
    server: Server,
    page: str = "overview",
    *,
    dark: bool = False,
    phone: bool = False,
    refused: str = "",
) -> Iterator[tuple[Page, View]]:
    """The dashboard at a page.

    Args:
        refused: pattern of a request whose refusal the test provokes.
    """
    expected = [LIVE, *([refused, "Failed to load resource"] if refused else [])]
    with browser.page(f"{Client(server).url}/#{page}", dark=dark, phone=phone, expected=expected) as shown:
        shown.page.get_by_label("Token").fill(TOKEN)
        shown.page.get_by_role("button", name="Sign in").click()
        expect(shown.page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
        yield shown, shown.page
        assert "xss" not in shown.page.title()


def row(view: View, text: str) -> Locator:
    return view.get_by_role("row").filter(has_text=text)


def press(view: View, name: str, *, confirm: bool = False) -> None:
    view.get_by_role("button", name=name, exact=True).first.click()
    if confirm:
        view.get_by_role("button", name="Yes", exact=True).click()


def said(view: View, text: str) -> None:
    expect(view.locator(".message")).to_contain_text(text)


def push(server: Server, pipeline: str, name: str, payload: str = "{}") -> None:
    with RpcClient(parse_address(server.rpc)) as rpc:
        Jobs(rpc).push(pipeline, name, payload)


@contextmanager
def slow_request(server: Server, path: str = "/slow") -> Iterator[threading.Thread]:
    """A request that a worker runs until the end."""

    def ask() -> None:
        try:
            urlopen(server.url + path, timeout=60).close()
        except OSError:
            pass  # a killed worker

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield thread
    finally:
        (server.folder / "go").touch()
        thread.join(60)
        (server.folder / "go").unlink()


def test_a_stranger_sees_nothing_but_the_form(browser: Browser, server: Server) -> None:
    with browser.page(Client(server).url, expected=["api/login: 401", "Failed to load resource"]) as shown:
        view = shown.page
        expect(view.get_by_label("Token")).to_be_focused()
        view.get_by_label("Token").fill("wrong")
        view.keyboard.press("Enter")
        expect(view.get_by_role("alert")).to_have_text("The token is wrong.")
        assert "vm" not in view.title()
        assert view.title() == "Sign in"


def test_the_overview_moves(browser: Browser, server: Server) -> None:
    seconds = 15.0 if "RR_PICTURES" in os.environ else 0.2
    with Load(server.address, "/", threads=2), signed_in(browser, server) as (shown, view):
        expect(view.get_by_role("heading", level=1)).to_have_text("Overview")
        expect(view.get_by_text("live", exact=True)).to_be_visible()
        expect(view.locator("canvas")).to_have_count(4)
        expect(row(view, "http").first).to_be_visible()
        view.wait_for_timeout(seconds * 1000)
        expect(view.locator(".figures div").first).to_contain_text("/s")
        view.get_by_role("button", name="Last hour").click()
        expect(view.locator("canvas")).to_have_count(5)
        view.get_by_role("button", name="Last minute").click()
        shown.picture("dashboard-overview")


def test_a_worker_shows_what_it_does_and_is_killed_restarted_and_joined(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "workers") as (shown, view), slow_request(server, "/slow?a=<b>") as thread:
        busy = row(view, "GET /slow")
        expect(busy).to_be_visible()
        expect(busy).to_contain_text("working")
        view.evaluate("scrollTo(0, document.body.scrollHeight)")
        shown.picture("dashboard-workers")
        view.get_by_label("only busy ones").check()
        expect(view.get_by_role("row")).to_have_count(2)  # one is the head
        busy.get_by_role("button", name=re.compile("Kill")).click()
        expect(view.get_by_role("dialog")).to_contain_text("Its request fails")
        view.get_by_role("button", name="Cancel").click()
        assert thread.is_alive()
        busy.get_by_role("button", name=re.compile("Kill")).click()
        view.get_by_role("button", name="Yes", exact=True).click()
        said(view, "was killed")
        thread.join(60)
        expect(busy).to_have_count(0)
        view.get_by_label("only busy ones").uncheck()
        view.get_by_label("Pool").select_option("http")
        expect(view.get_by_role("row")).to_have_count(3)
        pid = view.locator("tbody code").first.text_content()
        view.get_by_role("button", name=f"Restart worker {pid}").click()
        said(view, "is replaced")
        expect(view.get_by_role("button", name=f"Restart worker {pid}")).to_have_count(0)
        press(view, "Add worker (http)")
        said(view, "one worker more")
        expect(view.get_by_role("row")).to_have_count(4)
        press(view, "Remove worker (http)")
        said(view, "one worker less")
        expect(view.get_by_role("row")).to_have_count(3)
        press(view, "Replace all (http)")
        said(view, "were replaced")


def test_jobs_are_paused_resumed_retried_and_deleted(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "jobs/pipelines") as (shown, view):
        press(view, "Pause mail")
        said(view, "mail is paused")
        expect(row(view, "mail")).to_contain_text("paused")
        push(server, "mail", "bad", HOSTILE)
        push(server, "mail", "bad", "second")
        expect(row(view, "mail").locator("td").nth(3)).to_have_text("2")
        shown.picture("dashboard-jobs")
        press(view, "Resume mail")
        said(view, "receives jobs")
        expect(row(view, "dead").locator("td").nth(3)).to_have_text("2")
        view.goto(f"{Client(server).url}/#jobs/failed")
        letters = view.locator("section").filter(has=view.get_by_role("heading", name="Dead letters"))
        first = letters.get_by_role("row").filter(has_text="bad").first
        first.get_by_role("button", name="Details of bad").click()
        expect(letters.locator("pre").nth(1)).to_have_text(HOSTILE)
        shown.picture("dashboard-failed-jobs")
        first.get_by_role("button", name=re.compile("Retry")).click()
        said(view, "runs again")
        expect(view.locator("section").nth(1)).to_contain_text("dead letter")
        letters.get_by_role("button", name=re.compile("Delete")).first.click()
        view.get_by_role("button", name="Yes", exact=True).click()
        said(view, "was deleted")
        press(view, "Retry all dead letters", confirm=True)
        said(view, "run again")
        push(server, "plain", "bad", "dropped")
        view.get_by_role("button", name="Refresh").click()
        dropped = row(view, "dropped").filter(has=view.get_by_role("button", name=re.compile("Run again")))
        while not dropped.count():
            view.get_by_role("button", name="Refresh").click()
            view.wait_for_timeout(50)
        dropped.get_by_role("button", name=re.compile("Run again")).click()
        said(view, "was pushed again")


def test_an_entry_of_the_schedule_runs_now(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "schedule/entries") as (shown, view):
        press(view, "Run now clean")
        said(view, "clean has run: ok")
        expect(row(view, "clean")).to_contain_text("ok")
        row(view, "clean").get_by_role("button", name="Details of clean").click()
        expect(view.locator("pre")).to_contain_text("manual")
        shown.picture("dashboard-schedule")


def test_a_storage_is_cleared(browser: Browser, server: Server) -> None:
    with RpcClient(parse_address(server.rpc)) as rpc:
        rpc.call("kv.Set", {"storage": "cache", "items": [{"key": "k", "value": "dg=="}]})
    with signed_in(browser, server, "kv/storages") as (_, view):
        expect(row(view, "cache")).to_contain_text("1")
        press(view, "Clear cache", confirm=True)
        said(view, "All keys of cache were deleted")
        expect(row(view, "cache").locator("td").nth(2)).to_have_text("0")


def test_a_lock_is_released(browser: Browser, server: Server) -> None:
    with RpcClient(parse_address(server.rpc)) as rpc:
        rpc.call("lock.Lock", {"resource": HOSTILE, "id": "me", "ttl": 600_000_000})
    with signed_in(browser, server, "lock/locks") as (_, view):
        expect(row(view, HOSTILE)).to_contain_text("exclusive")
        view.get_by_role("button", name=re.compile("Release")).click()
        view.get_by_role("button", name="Yes", exact=True).click()
        said(view, "was released")
        expect(view.get_by_text("No lock is held.")).to_be_visible()


def test_a_websocket_is_closed(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "websocket/connections") as (_, view):
        expect(view.get_by_text("No client is connected.")).to_be_visible()
        with browser.page(server.url) as other:
            other.page.evaluate(
                "url => new Promise(done => { window.socket = new WebSocket(url);"
                " socket.onopen = done; socket.onclose = event => { window.code = event.code } })",
                f"ws://{server.config['http']['address']}/ws",
            )
            view.get_by_role("button", name=re.compile("Close .*")).first.click()
            view.get_by_role("button", name="Yes", exact=True).click()
            said(view, "was closed")
            other.page.wait_for_function("window.code === 1008")


def test_a_service_is_restarted_and_stopped(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "service/services") as (_, view):
        press(view, "Restart clock", confirm=True)
        said(view, "clock was restarted")
        view.goto(f"{Client(server).url}/#workers")
        press(view, "Restart all (service)")
        said(view, "were restarted")
        view.goto(f"{Client(server).url}/#service/services")
        press(view, "Stop clock", confirm=True)
        said(view, "clock was stopped")
        expect(view.get_by_text("There are no services.")).to_be_visible()


def test_the_log_is_filtered(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "logs") as (shown, view):
        urlopen(f"{server.url}/echo?marked{quote(HOSTILE)}", timeout=60).close()
        expect(view.get_by_role("log")).to_contain_text(f"marked{HOSTILE}")
        view.get_by_label("Channel").select_option("dashboard")
        expect(view.get_by_role("log")).to_contain_text("user signed in")
        expect(view.get_by_role("log")).not_to_contain_text("marked")
        shown.picture("dashboard-log")
        view.get_by_label("Text").fill("nothing has this text")
        expect(view.get_by_text("No line matches.")).to_be_visible()
        view.get_by_label("Text").fill("")
        view.get_by_role("button", name="Pause").click()
        expect(view.get_by_text("paused", exact=True)).to_be_visible()


def test_the_config_shows_what_differs_and_no_secret(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, "config") as (shown, view):
        expect(row(view, "http.pool.num_workers")).to_contain_text(".rr.yaml")
        expect(row(view, "http.pool.allocate_timeout")).to_have_count(0)
        expect(row(view, "dashboard.token")).to_contain_text("***")
        assert TOKEN not in view.content()
        shown.picture("dashboard-config")
        view.get_by_label("only what differs").uncheck()
        expect(row(view, "http.pool.allocate_timeout")).to_contain_text("default")
        view.get_by_label("Text").fill("allocate_timeout")
        expect(row(view, "http.address")).to_have_count(0)


def test_the_application_on_another_port_of_the_host_can_neither_frame_nor_read_nor_steer(
    browser: Browser, server: Server
) -> None:
    """Its requests carry the cookie of the dashboard: for cookies, and for SameSite, ports do not matter."""
    dashboard = Client(server).url
    before = server.workers()
    with signed_in(browser, server, "workers") as (_, view):
        attacks = view.context.new_page()
        told: list[str] = []
        attacks.on("console", lambda message: told.append(message.text))
        attacks.goto(server.url)
        results = attacks.evaluate(ATTACKS, dashboard)
        assert all(result in ("TypeError", "opaque") for result in results), results
        for form in ("application/x-www-form-urlencoded", "text/plain"):
            with attacks.expect_navigation():
                attacks.evaluate(FORM, [f"{dashboard}/api/action", form])
            assert "another site" in attacks.content()
            attacks.goto(server.url)
        with attacks.expect_console_message(lambda message: "frame-ancestors" in message.text):
            attacks.evaluate(
                "url => { document.body.appendChild(document.createElement('iframe')).src = url }", dashboard
            )
        attacks.close()
        assert server.workers() == before
        cookies = [one for one in view.context.cookies() if one["name"] == "rr-dashboard"]
        assert [(one["httpOnly"], one["sameSite"]) for one in cookies] == [(True, "Strict")]
        assert view.evaluate("document.cookie") == ""


def test_a_link_on_another_site_leads_to_the_page(browser: Browser, server: Server) -> None:
    """The cookie does not come with it."""
    dashboard = Client(server).url.replace("127.0.0.1", "localhost")  # another site than that of the link
    with browser.page(f"{dashboard}/#overview", expected=[LIVE, "ERR_ABORTED"]) as shown:
        view = shown.page
        view.get_by_label("Token").fill(TOKEN)
        view.get_by_role("button", name="Sign in").click()
        expect(view.get_by_role("heading", level=1)).to_have_text("Overview")
        view.goto(server.url)
        view.evaluate(
            "url => { const link = document.createElement('a'); link.href = url; link.click() }", f"{dashboard}/#config"
        )
        expect(view.get_by_role("heading", level=1)).to_have_text("Config")


ATTACKS = """async (url) => {
  const action = JSON.stringify({ page: "workers", action: "reset", row: "http" });
  const tries = [
    [`${url}/api/session`, { credentials: "include" }],
    [`${url}/api/session`, { credentials: "include", mode: "no-cors" }],
    [`${url}/api/stream?id=workers`, { credentials: "include", mode: "no-cors" }],
    [`${url}/api/action`, { method: "POST", credentials: "include", mode: "no-cors", body: action }],
    [`${url}/api/action`, { method: "POST", credentials: "include", body: action,
      headers: { "Content-Type": "application/json", "X-Dashboard-Key": "guessed" } }],
  ];
  const outcome = ([path, options]) => fetch(path, options).then((answer) => answer.type, (error) => error.name);
  return Promise.all(tries.map(outcome));
}"""
FRAME = "url => { document.body.appendChild(document.createElement('iframe')).src = url }"
FORM = """([url, type]) => {
  const form = document.body.appendChild(document.createElement("form"));
  Object.assign(form, { method: "POST", action: url, enctype: type });
  const field = form.appendChild(document.createElement("input"));
  Object.assign(field, { name: '{"page": "workers", "action": "reset", "row": "http", "x": "', value: '"}' });
  form.submit();
}"""


def test_it_fits_a_phone(browser: Browser, server: Server) -> None:
    with signed_in(browser, server, phone=True, dark=True) as (shown, view):
        expect(view.get_by_role("navigation")).to_be_hidden()
        for title in ("Workers", "Jobs", "Failed jobs", "Schedule", "KV", "WebSocket", "Log", "Config", "Overview"):
            view.get_by_role("button", name="Menu").click()
            view.get_by_role("link", name=title, exact=True).click()
            expect(view.get_by_role("heading", level=1)).to_have_text(title)
            expect(view.locator("main .loading")).to_have_count(0)
            assert shown.overflow() <= 0, title
        shown.picture("dashboard-phone")


def test_it_is_used_with_the_keyboard(browser: Browser, server: Server) -> None:
    with signed_in(browser, server) as (_, view):
        view.get_by_role("link", name="KV").focus()
        view.keyboard.press("Enter")
        heading = view.get_by_role("heading", level=1)
        expect(heading).to_have_text("KV")
        expect(heading).to_be_focused()
        view.get_by_role("button", name="Clear cache").focus()
        view.keyboard.press("Enter")
        expect(view.get_by_role("button", name="Cancel")).to_be_focused()
        view.keyboard.press("Escape")
        expect(view.get_by_role("dialog")).to_have_count(0)
        view.keyboard.press("Tab")
        view.get_by_role("button", name="Sign out").focus()
        view.keyboard.press("Enter")
        expect(view.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_texts_have_contrast_and_controls_have_names(browser: Browser, server: Server, dark: bool) -> None:
    with signed_in(browser, server, "workers", dark=dark) as (shown, view):
        for page in ("workers", "overview", "logs", "config", "jobs/pipelines"):
            view.goto(f"{Client(server).url}/#{page}")
            expect(view.locator("main .loading")).to_have_count(0)
            expect(view.locator("main table, main .log, main canvas").first).to_be_visible()
            assert view.evaluate(WEAK) == [], page
            assert view.evaluate(NAMELESS) == [], page
        if dark:
            view.goto(f"{Client(server).url}/#overview")
            expect(view.locator("canvas")).to_have_count(4)
            shown.picture("dashboard-dark")


# Texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3).
WEAK = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => c.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const back = (node) => {
    for (let one = node; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(back(node))].sort((x, y) => y - x);
    const text = node.textContent.trim().slice(0, 30);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.add(`${node.className || node.tagName}: ${text}`);
  }
  return [...found];
}"""
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select")]
  .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).map((one) => one.outerHTML)"""


def test_the_page_follows_a_server_that_comes_back(browser: Browser, tmp_path: Path) -> None:
    config = None
    with site(tmp_path) as first:
        config = first.config
        expected = [LIVE, "api", "Failed to load", "ERR_"]
        with browser.page(Client(first).url, expected=expected) as shown:
            view = shown.page
            view.get_by_label("Token").fill(TOKEN)
            view.get_by_role("button", name="Sign in").click()
            expect(view.get_by_text("live", exact=True)).to_be_visible()
            assert first.stop() == 0
            expect(view.get_by_text("Trying again")).to_be_visible()
            with Server(tmp_path, config):
                expect(view.get_by_role("button", name="Sign in")).to_be_visible()


def test_read_only_has_no_buttons(browser: Browser, tmp_path: Path) -> None:
    with site(tmp_path, dashboard={"read_only": True}) as server, signed_in(browser, server, "workers") as (_, view):
        expect(view.get_by_text("read-only")).to_be_visible()
        expect(row(view, "http").first).to_be_visible()
        expect(view.get_by_role("button")).to_have_count(1)  # sign out
        expect(view.get_by_role("link", name="Jobs")).to_have_count(0)
