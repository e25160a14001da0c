"""Which topics a selector matches."""

from __future__ import annotations

import time

import pytest

from pyroadrunner.plugins.mercure.selectors import InvalidSelector, Kind, Matcher, Selector
from pyroadrunner.plugins.mercure.template import InvalidTemplate, Template

HUB = "https://hub.test/.well-known/mercure"


@pytest.mark.parametrize(
    ("selector", "topic", "matches"),
    [
        ("*", "anything at all", True),
        ("news", "news", True),
        ("news", "News", False),
        ("a/../b", "b", False),
        ("{", "{", True),
        ("{id", "{id", True),
        ("{id", "1", False),
        ("{a b}", "{a b}", True),
        ("https://a.test/{id}", "https://a.test/1", True),
        ("https://a.test/{id}", "https://a.test/", True),
        ("https://a.test/{id}", "https://a.test/{id}", True),
        ("https://a.test/{id}", "https://a.test/a-1.b_c~,%C3%A9", True),
        ("https://a.test/{id}", "https://a.test/1/2", False),
        ("https://a.test/{id}", "https://a.test/a b", False),
        ("https://a.test/{id}", "https://a.test/é", False),
        ("https://a.test/{id}", "https://a.test/%C", False),
        ("https://a.test/{id}", "https://a.test/a=b", False),
        ("https://a.test/{id}", "https://b.test/1", False),
        ("https://a.test/{id*}", "https://a.test/a=b,c=d", True),
        ("https://a.test/{id:3}", "https://a.test/12345", True),
        ("https://a.test/{+path}", "https://a.test/1/2?q#f", True),
        ("https://a.test/{+path}", "https://a.test/a b", False),
        ("https://a.test/{a}/c", "https://a.test/b/c", True),
        ("https://a.test/{a}.json", "https://a.test/b.json.json", True),
        ("https://a.test{/a}", "https://a.test", True),
        ("https://a.test{/a}", "https://a.test/b", True),
        ("https://a.test{/a}", "https://a.test/b/c", False),
        ("https://a.test{/a,b}", "https://a.test/b/c", True),
        ("https://a.test{/a*}", "https://a.test/b/c/d", True),
        ("a{?q}", "a?q=1", True),
        ("a{?q}", "a", True),
        ("a{?q,r}", "a?q=1&r=2", True),
        ("a{?q}", "a?q=1&r=2", False),
        ("a{#f}", "a#x/y", True),
        ("a{.e}", "a.json", True),
        ("a{;p}", "a;p=1", True),
        ("/s{/topic}{/subscriber}", "/s/https%3A%2F%2Fa.test/urn%3Auuid%3A1", True),
        ("{a}{b}{c}", "abc", True),
    ],
)
def test_selectors_of_0_x(selector: str, topic: str, matches: bool) -> None:
    matcher = Matcher(HUB)
    for _ in range(3):  # the second and third find it in the cache
        assert matcher.matches(Selector("topic", selector), topic) is matches


@pytest.mark.parametrize(
    ("kind", "selector", "topic", "matches"),
    [
        ("exact", "*", "anything", True),
        ("urlpattern", "*", "anything", True),
        ("exact", "https://a.test/{id}", "https://a.test/1", False),
        ("exact", "news", "news", True),
        ("urlpattern", "https://a.test/books/:id", "https://a.test/books/1", True),
        ("urlpattern", "https://a.test/books/:id", "https://a.test/books/1/2", False),
        ("urlpattern", "https://a.test/books/:id", "https://A.test/books/1", True),
        ("urlpattern", "https://a.test/books/:id", "https://a.test/Books/1", False),
        ("urlpattern", "https://*.a.test/*", "https://x.a.test/y/z", True),
        ("urlpattern", "/books/:id", "/books/1", True),
        ("urlpattern", "/books/:id", "https://hub.test/books/1", True),
        ("urlpattern", "/books/:id", "https://other.test/books/1", False),
        ("urlpattern", "https://a.test/books/:id", "http://[broken", False),
    ],
)
def test_matchers_of_1_0(kind: Kind, selector: str, topic: str, matches: bool) -> None:
    matcher = Matcher(HUB)
    for _ in range(3):
        assert matcher.matches(Selector(kind, selector), topic) is matches


@pytest.mark.parametrize("text", ["https://a.test/(", "a\x00b", "a\u200bb", "x" * 5000])
def test_invalid_matchers_of_1_0_are_refused(text: str) -> None:
    matcher = Matcher(HUB)
    with pytest.raises(InvalidSelector):
        matcher.check(Selector("urlpattern", text))
    assert not matcher.matches(Selector("urlpattern", text), "https://a.test/1")


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a", "a}", "{a b}", "{a:0}", "{a:12345}", "{!a}", "{a,}", "{a{b}}"])
def test_malformed_templates_are_refused(text: str) -> None:
    with pytest.raises(InvalidTemplate):
        Template(text)


def test_a_template_takes_linear_time() -> None:
    """``re`` would take longer than the age of the universe."""
    template = Template("{a}" * 100 + "!")
    began = time.process_time()
    assert not template.matches("a" * 20_000)
    assert template.matches("a" * 20_000 + "!")
    assert time.process_time() - began < 30


def test_a_template_forgets_states_and_still_matches() -> None:
    template = Template("{+a}" + "".join(f"x{{+v{number}}}" for number in range(40)))
    for number in range(300):
        assert template.matches("x" * (40 + number) + chr(97 + number % 26))
    assert not template.matches("x" * 39)
