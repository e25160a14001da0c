"""The pages of the examples, in headless Chromium. The pictures of the manual come from here: with
``RR_PICTURES=docs/pictures`` these tests write them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import expect

from pyroadrunner.sdk.mercure import Mercure
from pyroadrunner.sdk.rpc import RpcClient
from support.browser import Browser, Page
from support.node import node_modules
from support.packages import EXAMPLES
from support.php import require_php, require_php_package
from support.server import READY, Server, free_port, rr
from support.tls import Authority

# What Chromium logs when a page connects while the server restarts.
RESTART = ("WebSocket connection to .* failed", "ERR_CONNECTION_REFUSED")


def example(name: str, folder: Path, program: str = "", **settings: Any) -> Server:
    """The server of an example, on free ports."""
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    given = yaml.safe_load((EXAMPLES / name / ".rr.yaml").read_text("utf-8"))
    given["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    given["http"]["address"] = f"127.0.0.1:{free_port()}"
    given["server"]["command"] = f"{program or require_php()} {given['server']['command'].split()[1]}"
    return Server(folder, {**given, **settings})


def secure_example(name: str, folder: Path) -> tuple[Server, str]:
    """The server of an example with TLS, and its URL."""
    identity, port = Authority(folder).server(), free_port()
    settings = example(name, folder).config
    settings["http"]["ssl"] = {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)}
    return Server(folder, settings), f"https://localhost:{port}"


def say(page: Page, text: str) -> None:
    page.page.get_by_label("Message", exact=True).fill(text)
    page.page.get_by_role("button", name="Send").click()


def people(page: Page, *names: str) -> None:
    expect(page.page.get_by_label("People").locator("li")).to_have_text(list(names))


@contextmanager
def appears(page: Page, selector: str, text: str) -> Iterator[None]:
    """Wait at the end of the ``with`` until an element has shown a text since its begin; it may have vanished again."""
    page.page.evaluate(
        """([selector, text]) => {
            const element = document.querySelector(selector);
            window.appeared = new Promise((resolve) => new MutationObserver(
                () => element.textContent === text && resolve()
            ).observe(element, { childList: true, characterData: true, subtree: true }));
        }""",
        [selector, text],
    )
    yield
    page.page.evaluate("() => window.appeared")


def last(page: Page) -> Any:
    return page.page.get_by_label("Messages").locator("li").last


@pytest.mark.parametrize("name", ["websocket", "websocket-python"])
def test_two_pages_chat(browser: Browser, tmp_path: Path, name: str) -> None:
    program = sys.executable if name.endswith("python") else ""
    with example(name, tmp_path, program) as server, browser.page(server.url) as ann:
        ann.page.get_by_label("Your name").fill("Ann")
        ann.page.get_by_role("button", name="Enter").click()
        people(ann, "Ann")
        with browser.page(f"{server.url}/?name=Ben") as ben:
            people(ben, "Ann", "Ben")
            people(ann, "Ann", "Ben")
            say(ann, "Good morning! Did the deployment go through?")
            expect(last(ben)).to_have_text("AnnGood morning! Did the deployment go through?")
            say(ben, "Yes, without one lost connection.")
            say(ben, "<b>And that is only text.</b>")
            expect(last(ann)).to_have_text("Ben<b>And that is only text.</b>")
            with browser.page(f"{server.url}/?name=Ben") as again:
                people(again, "Ann", "Ben")
            say(ann, "Thanks")
            expect(last(ben)).to_have_text("AnnThanks")
            people(ann, "Ann", "Ben")  # one of his pages is still open
            with appears(ann, "#typing", "Ben is typing …"):
                ben.page.get_by_label("Message", exact=True).press_sequentially("W")
        people(ann, "Ann")
        with RpcClient(server.rpc) as rpc, ann.page.expect_event("websocket"):
            rpc.call("websocket.Disconnect", {"user": "Ann", "code": 4000, "reason": ""})
            missed = json.dumps({"from": "Ben", "text": "while you were away"})
            rpc.call("websocket.Publish", {"topics": ["room.lobby"], "data": missed})
        expect(last(ann)).to_have_text("Benwhile you were away")
        people(ann, "Ann")


def test_the_chat_goes_on_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    server = example("websocket", tmp_path)
    with ExitStack() as pages:
        with server:
            ann = pages.enter_context(browser.page(f"{server.url}/?name=Ann", expected=RESTART))
            people(ann, "Ann")
            say(ann, "before")
            expect(last(ann)).to_contain_text("before")
        expect(ann.page.locator("#status")).to_have_text("connecting again")
        with Server(tmp_path, server.config):
            expect(ann.page.locator("#status")).to_have_text("connected")
            people(ann, "Ann")
            say(ann, "after")
            expect(last(ann)).to_contain_text("after")


def test_the_chat_over_tls_and_http2(browser: Browser, tmp_path: Path) -> None:
    server, url = secure_example("websocket", tmp_path)
    with (
        server,
        browser.page(f"{url}/?name=Ann", any_certificate=True) as ann,
        browser.page(f"{url}/?name=Ben", any_certificate=True) as ben,
    ):
        assert ann.page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        for page in (ann, ben):
            people(page, "Ann", "Ben")
        say(ann, "x" * 1000)
        expect(last(ben)).to_contain_text("x" * 1000)
        say(ben, "short")
        expect(last(ann)).to_contain_text("short")
        with ann.page.expect_event("websocket"), RpcClient(server.rpc) as rpc:
            rpc.call("websocket.Disconnect", {"user": "Ann", "code": 1012, "reason": ""})
        expect(ann.page.get_by_role("status")).to_have_text("connected")
        say(ben, "there you are")
        expect(last(ann)).to_contain_text("there you are")


def test_pictures_of_the_chat(browser: Browser, tmp_path: Path) -> None:
    with example("websocket", tmp_path) as server, browser.page(f"{server.url}/?name=Ann") as ann:
        people(ann, "Ann")
        with (
            browser.page(f"{server.url}/?name=Ben", dark=True, phone=True) as ben,
            browser.page(f"{server.url}/?name=Chloé") as chloe,
        ):
            for page in (ann, ben, chloe):
                people(page, "Ann", "Ben", "Chloé")
            say(ann, "Good morning! Did the deployment go through?")
            expect(last(ben)).to_contain_text("Good morning")
            say(ben, "Yes, while all of you were connected.")
            expect(last(chloe)).to_contain_text("Yes")
            say(chloe, "I have not noticed anything. Nice!")
            for page in (ann, ben):
                expect(last(page)).to_contain_text("Nice!")
                assert page.overflow() == 0
            with appears(ann, "#typing", "Ben is typing …"):
                ben.page.get_by_label("Message", exact=True).press_sequentially("T")
            ann.page.set_viewport_size({"width": 800, "height": 420})
            ann.picture("websocket-chat")
            ben.picture("websocket-chat-phone")


WALKS = [12, 13.5, 13, 14.2, 15], [8, 7.9, 9.4, 9.1, 8.2], [21, 20, 20.5, 19.9, 21.3]


def price(page: Page, book: str) -> Any:
    return page.page.get_by_role("article").filter(has_text=book).locator("output")


def change(page: Page, book: str) -> None:
    page.page.get_by_role("article").filter(has_text=book).get_by_role("button").click()


def test_prices_of_the_hub_reach_all_pages_and_outlive_a_restart(browser: Browser, tmp_path: Path) -> None:
    server = example("mercure", tmp_path)
    with ExitStack() as pages:
        with server:
            one = pages.enter_context(browser.page(server.url, expected=RESTART))
            two = pages.enter_context(browser.page(server.url, expected=RESTART))
            for page in (one, two):
                expect(page.page.locator("#status")).to_have_text("connected")
            change(one, "Moonstone")
            for page in (one, two):
                expect(price(page, "Moonstone")).to_contain_text("€")
            shown = price(two, "Moonstone").text_content()
            expect(price(one, "Middlemarch")).to_have_text("?")
        expect(one.page.locator("#status")).to_have_text("connecting again")
        with Server(tmp_path, server.config), browser.page(server.url) as three:
            expect(price(three, "Moonstone")).to_have_text(shown)
            for page in (one, two):
                expect(page.page.locator("#status")).to_have_text("connected")
            change(three, "Middlemarch")
            for page in (one, two, three):
                expect(price(page, "Middlemarch")).to_contain_text("€")


def test_over_http2_more_than_six_tabs_of_a_browser_follow_the_hub(browser: Browser, tmp_path: Path) -> None:
    server, url = secure_example("mercure", tmp_path)
    with server, browser.page(url, any_certificate=True) as first:
        assert first.page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
        tabs = [first.page, *(first.page.context.new_page() for _ in range(7))]
        for tab in tabs[1:]:
            tab.goto(url)
        for tab in tabs:
            expect(tab.locator("#status")).to_have_text("connected")
        change(first, "Moonstone")
        for tab in tabs:
            expect(tab.get_by_role("article").filter(has_text="Moonstone").locator("output")).to_contain_text("€")


def test_pictures_of_the_prices(browser: Browser, tmp_path: Path) -> None:
    with example("mercure", tmp_path) as server, ExitStack() as pages:
        with Mercure(RpcClient(server.rpc)) as hub:
            for book, walk in enumerate(WALKS, 1):
                for value in walk:
                    hub.publish(f"https://example.com/books/{book}", json.dumps({"book": book, "price": value}))
        desk = pages.enter_context(browser.page(server.url))
        phone = pages.enter_context(browser.page(server.url, dark=True, phone=True))
        for page in (desk, phone):
            expect(price(page, "Middlemarch")).to_have_text("€ 21.30")
            assert page.overflow() == 0
        desk.page.set_viewport_size({"width": 800, "height": 300})
        desk.picture("mercure-prices")


def test_the_news_of_the_broadcast_example_go_on_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    with example("broadcast", tmp_path) as server, browser.page(expected=RESTART) as reader:
        library = rr("php-library", cwd=tmp_path).stdout.strip()
        environment = {**os.environ, "RR_PHP_LIBRARY": library, "RR_RPC": server.rpc}
        command = [require_php(), "publish.php"]
        usage = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (usage.returncode, usage.stderr) == (1, "usage: php publish.php TEXT\n")

        def follow(text: str) -> None:
            """Publish until the page, which may still be joining, has it."""
            for _ in range(60):
                subprocess.run([*command, text], cwd=tmp_path, env=environment, check=True)
                reader.page.wait_for_timeout(500)
                if reader.page.get_by_text(text).count():
                    return
            raise AssertionError(f"{text} did not come")

        reader.page.goto(server.url)
        follow("first <b>news</b>")
        server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        follow("second")


def echo_example(folder: Path) -> Server:
    """The example, with the packages for Node in the place of those that its README installs."""
    packages = node_modules()
    server = example("laravel-echo", folder)
    (folder / "public" / "node_modules").symlink_to(packages)
    settings = server.config
    settings["http"]["static"]["follow_symlinks"] = True
    settings["websocket"]["drain_timeout"] = "100ms"
    settings["endure"] = {"retirement": "500ms"}
    settings["server"]["env"]["REVERB_PORT"] = str(server.address[1])
    return Server(folder, settings)


def test_the_examples_install_the_packages_of_the_tests() -> None:
    wanted = {}
    for name in ("laravel-echo", "symfony-mercure"):
        wanted |= json.loads((EXAMPLES / name / "public" / "package.json").read_text())["dependencies"]
    pinned = json.loads((EXAMPLES.parent / "scripts" / "node" / "package.json").read_text())["dependencies"]
    assert wanted == {name: pinned[name] for name in wanted}


def test_the_page_with_laravel_echo_says_that_its_packages_are_missing(browser: Browser, tmp_path: Path) -> None:
    with example("laravel-echo", tmp_path) as server, browser.page(expected=["503", "404"]) as page:
        page.page.goto(server.url)
        expect(page.page.locator("body")).to_have_text("Run this first: npm install --prefix public")


def test_two_pages_with_laravel_echo(browser: Browser, tmp_path: Path) -> None:
    with echo_example(tmp_path) as server, browser.page(server.url) as ann:
        ann.page.get_by_label("Your name").fill("Ann")
        ann.page.get_by_role("button", name="Enter").click()
        people(ann, "Ann")
        with browser.page(f"{server.url}/?name=Ben") as ben:
            people(ben, "Ann", "Ben")
            people(ann, "Ann", "Ben")
            with appears(ann, "#typing", "Ben is typing …"):
                ben.page.get_by_label("Message", exact=True).press_sequentially("H")
            say(ben, "Hello from Echo")
            expect(last(ann)).to_have_text("BenHello from Echo")
            expect(ben.page.get_by_label("Messages").locator("li")).to_have_count(1)
            with appears(ben, "#wave", "Ann waves to you"):
                ann.page.get_by_role("button", name="Ben").click()
            with browser.page(f"{server.url}/?name=Ben") as again:
                people(again, "Ann", "Ben")
        people(ann, "Ann")


def test_laravel_echo_stays_connected_while_workers_are_replaced(browser: Browser, tmp_path: Path) -> None:
    with echo_example(tmp_path) as server, browser.page() as ann:
        opened: list[object] = []
        ann.page.on("websocket", lambda socket: opened.append(socket))
        ann.page.goto(f"{server.url}/?name=Ann")
        people(ann, "Ann")
        [old] = server.workers()
        with RpcClient(server.rpc) as rpc:
            rpc.call("resetter.Reset", "http")
        assert old not in server.workers()
        with browser.page(f"{server.url}/?name=Ben") as ben:
            people(ann, "Ann", "Ben")
            say(ben, "hello")
            expect(last(ann)).to_have_text("Benhello")
        assert len(opened) == 1


def test_laravel_echo_comes_back_after_a_restart(browser: Browser, tmp_path: Path) -> None:
    with echo_example(tmp_path) as server, ExitStack() as pages:
        ann, ben = (pages.enter_context(browser.page(f"{server.url}/?name={name}")) for name in ("Ann", "Ben"))
        for page in (ann, ben):
            people(page, "Ann", "Ben")
        with ann.page.expect_event("websocket"), ben.page.expect_event("websocket"):
            server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        for page in (ann, ben):
            expect(page.page.get_by_role("status")).to_have_text("connected")
            people(page, "Ann", "Ben")
        say(ann, "here again")
        expect(last(ben)).to_have_text("Annhere again")


@pytest.mark.parametrize(
    ("key", "value", "shown", "logged"),
    [
        ("key", "another", "The application does not exist", "a client was refused"),
        ("allowed_origins", ["https://shop.example"], "The origin is not allowed", "a client was refused"),
        ("secret", "another", "not in the room: the signature is invalid", "a subscription was refused"),
    ],
)
def test_laravel_echo_says_what_is_wrong_with_its_settings(
    key: str, value: object, shown: str, logged: str, browser: Browser, tmp_path: Path
) -> None:
    server = echo_example(tmp_path)
    server.config["websocket"]["apps"][0][key] = value
    with Server(tmp_path, server.config) as server, browser.page(f"{server.url}/?name=Ann") as ann:
        expect(ann.page.get_by_role("status")).to_have_text(shown)
        server.wait_for(logged)


def test_pictures_of_laravel_echo(browser: Browser, tmp_path: Path) -> None:
    with echo_example(tmp_path) as server, ExitStack() as pages:
        ann, ben = (
            pages.enter_context(browser.page(f"{server.url}/?name={name}", dark=dark, phone=dark))
            for name, dark in (("Ann", False), ("Ben", True))
        )
        for page in (ann, ben):
            people(page, "Ann", "Ben")
            assert page.overflow() == 0
        say(ann, "This page runs laravel-echo and pusher-js.")
        expect(last(ben)).to_contain_text("pusher-js")
        say(ben, "And no Reverb, no Pusher: one server.")
        expect(last(ann)).to_contain_text("one server")
        with appears(ann, "#wave", "Ben waves to you"):
            ben.page.get_by_role("button", name="Ann").click()
        ann.page.set_viewport_size({"width": 800, "height": 420})
        ann.picture("laravel-echo")


def symfony_example(folder: Path) -> Server:
    """The example, with the packages for Node in the place of those that its README installs."""
    for package in ("Symfony/Bundle/FrameworkBundle", "Symfony/Component/Mercure"):
        name = "php-symfony-framework-bundle" if "Bundle" in package else "php-symfony-mercure"
        require_php_package(f"{package}/autoload.php", name)
    packages = node_modules()
    server = example("symfony-mercure", folder)
    (folder / "public" / "node_modules").symlink_to(packages)
    settings = server.config
    settings["http"]["static"]["follow_symlinks"] = True
    settings["mercure"]["drain_retry"] = "100ms"
    settings["server"]["env"]["MERCURE_URL"] = f"{server.url}/.well-known/mercure"
    return Server(folder, settings)


def pin(page: Page, text: str, to: str = "") -> None:
    page.page.get_by_label("Only for").fill(to)
    page.page.get_by_label("Note", exact=True).fill(text)
    page.page.get_by_role("button", name="Pin").click()
    expect(page.page.get_by_label("Note", exact=True)).to_have_value("")


def notes(page: Page, *texts: str) -> None:
    expect(page.page.get_by_label("Notes").locator("li > p")).to_have_text(list(texts))


def connected(page: Page) -> None:
    expect(page.page.locator("turbo-mercure-stream-source[connected]")).to_have_count(2)


def test_notes_of_symfony_mercure_by_turbo_streams(browser: Browser, tmp_path: Path) -> None:
    server = symfony_example(tmp_path)
    with ExitStack() as pages:
        with server:
            ann = pages.enter_context(browser.page(server.url, expected=RESTART))
            ann.page.get_by_label("Your name").fill("Ann")
            ann.page.get_by_role("button", name="Enter").click()
            ben = pages.enter_context(browser.page(f"{server.url}/?name=Ben", expected=RESTART))
            eve = pages.enter_context(browser.page(f"{server.url}/?name=Eve", expected=RESTART))
            for page in (ann, ben, eve):
                connected(page)
            pin(ann, "Milk <b>and</b> bread")
            for page in (ann, ben, eve):
                notes(page, "Milk <b>and</b> bread")
            pin(ann, "The gift is in the cupboard", to="Ben")
            pin(ben, "Back at six")
            for page in (ann, ben):
                notes(page, "Back at six", "The gift is in the cupboard", "Milk <b>and</b> bread")
            notes(eve, "Back at six", "Milk <b>and</b> bread")
            eve.page.get_by_role("button", name="Remove").first.click()
            for page in (ann, ben):
                notes(page, "The gift is in the cupboard", "Milk <b>and</b> bread")
        with Server(tmp_path, server.config), browser.page(f"{server.url}/?name=Ben") as late:
            notes(late, "The gift is in the cupboard", "Milk <b>and</b> bread")
            for page in (ann, ben, eve):
                connected(page)
            pin(late, "The server was restarted")
            for page in (ann, ben):
                notes(page, "The server was restarted", "The gift is in the cupboard", "Milk <b>and</b> bread")
            notes(eve, "The server was restarted", "Milk <b>and</b> bread")


def test_pictures_of_symfony_mercure(browser: Browser, tmp_path: Path) -> None:
    with symfony_example(tmp_path) as server, ExitStack() as pages:
        ann, ben = (
            pages.enter_context(browser.page(f"{server.url}/?name={name}", dark=dark, phone=dark))
            for name, dark in (("Ann", False), ("Ben", True))
        )
        for page in (ann, ben):
            connected(page)
        pin(ben, "Fix the door of the shed")
        notes(ann, "Fix the door of the shed")
        pin(ben, "The concert begins at eight, tickets are at the desk", to="Ann")
        pin(ann, "Milk, bread, coffee")
        for page in (ann, ben):
            notes(
                page,
                "Milk, bread, coffee",
                "The concert begins at eight, tickets are at the desk",
                "Fix the door of the shed",
            )
            assert page.overflow() == 0
        ann.page.set_viewport_size({"width": 800, "height": 300})
        ann.picture("symfony-mercure")
