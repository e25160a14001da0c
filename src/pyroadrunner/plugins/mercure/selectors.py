"""What subscribers and tokens name topics by. Pure.

0.x has one kind: equal text, ``*``, or a URI template. 1.0 has two: equal text, and URL patterns; ``*`` matches all
topics in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from unicodedata import category

from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.plugins.mercure.template import InvalidTemplate, Template

MAX_LENGTH = 4096  # characters of a selector or a topic

Kind = Literal["topic", "exact", "urlpattern"]
_Test = Callable[[str], bool]


class InvalidSelector(ValueError):
    """The selector can't be used; 1.0 refuses it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector.

    Attributes:
        kind: ``topic`` is that of 0.x.
    """

    kind: Kind
    text: str

    @property
    def everything(self) -> bool:
        return self.text == "*"

    @property
    def exact(self) -> bool:
        """Whether it matches one topic: that of its text."""
        return self.kind == "exact" or (self.kind == "topic" and "{" not in self.text)


class Matcher:
    """Matches topics, and remembers what it has compiled.

    Args:
        base: URL of the hub, for relative URL patterns and topics.
        entries: compiled selectors to remember.
    """

    def __init__(self, base: str, entries: int = 10_000) -> None:
        self._base = base
        self._templates = BoundedCache(
            _template, entries=entries, max_bytes=1 << 24, size=lambda text, _: 50 * len(text)
        )
        self._patterns = BoundedCache(
            self._pattern, entries=entries, max_bytes=1 << 24, size=lambda text, _: 100 * len(text)
        )

    def matches(self, selector: Selector, topic: str) -> bool:
        """Whether a selector matches a topic."""
        if selector.text == "*" or selector.text == topic:
            return selector.kind != "urlpattern" or selector.text == "*" or self._patterns[selector.text](topic)
        if selector.kind == "topic":
            return "{" in selector.text and self._templates[selector.text](topic)
        return selector.kind == "urlpattern" and self._patterns[selector.text](topic)

    def any_matches(self, selectors: Iterable[Selector], topics: Sequence[str]) -> bool:
        """Whether one of the selectors matches one of the topics."""
        return any(self.matches(selector, topic) for selector in selectors for topic in topics)

    def check(self, selector: Selector) -> None:
        """Whether 1.0 permits the selector.

        Raises:
            InvalidSelector
        """
        if len(selector.text) > MAX_LENGTH:
            raise InvalidSelector(f"a matcher has at most {MAX_LENGTH} characters")
        if has_control(selector.text):
            raise InvalidSelector("a matcher has no control characters")
        if selector.kind == "urlpattern" and not selector.everything:
            self._compile(selector.text)

    def _pattern(self, text: str) -> _Test:
        try:
            return self._compile(text)
        except InvalidSelector:
            return lambda _: False

    def _compile(self, text: str) -> _Test:
        try:
            from urlpattern import URLPattern  # 3 MB, for 1.0 only
        except ModuleNotFoundError as missing:
            raise InvalidSelector("URL patterns need the package urlpattern") from missing
        try:
            pattern = URLPattern(text, self._base)
        except Exception as wrong:  # the package has no class for its errors
            raise InvalidSelector(f"not a URL pattern: {text[:200]}") from wrong

        def test(topic: str) -> bool:
            try:
                return bool(pattern.test(topic, self._base))
            except Exception:  # the topic is no URL
                return False

        return test


def has_control(text: str) -> bool:
    """Whether a text has control or format characters, which ids, types and matchers must not have."""
    return not text.isprintable() and any(category(character) in ("Cc", "Cf") for character in text)


def _template(text: str) -> _Test:
    try:
        return Template(text).matches
    except InvalidTemplate:
        return lambda _: False  # it matches only itself
