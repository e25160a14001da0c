"""What a bounded cache keeps, and what it drops."""

from __future__ import annotations

from pyroadrunner.bounded_cache import BoundedCache


class Doubler:
    """Doubles text, and knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, text: str) -> str:
        self.asked.append(text)
        return text * 2


def filled(cache: BoundedCache[str, str], *texts: str) -> None:
    """Ask for each text twice: then it is kept."""
    for text in texts * 2:
        assert cache[text] == text * 2


def test_a_result_is_kept_when_its_argument_comes_again() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=4, max_bytes=1000)
    assert [cache["a"], cache["a"], cache["a"], cache["b"]] == ["aa", "aa", "aa", "bb"]
    assert make.asked == ["a", "a", "b"]
    assert list(cache) == ["a"]


def test_what_never_comes_again_is_not_kept() -> None:
    cache = BoundedCache(Doubler(), entries=2, max_bytes=1000)
    filled(cache, "a")
    for number in range(100):
        cache[f"{number}!"]
    assert list(cache) == ["a"]


def test_there_are_never_more_entries_than_allowed() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=2, max_bytes=1000)
    for text in "abcde":
        filled(cache, text)
        assert len(cache) <= 2
    make.asked.clear()
    assert cache["e"] == "ee"
    assert make.asked == []


def test_the_bytes_of_all_entries_are_bounded() -> None:
    cache = BoundedCache(Doubler(), entries=1000, max_bytes=160, size=lambda text, made: len(text) + len(made))
    for number in range(100):
        filled(cache, f"{number:03}")
        assert sum(len(text) + len(made) for text, made in cache.items()) <= 160
    assert "099" in cache


def test_a_large_result_is_not_kept_and_displaces_nothing() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=4, max_bytes=160)
    filled(cache, "a", "x" * 6)
    assert list(cache) == ["a"]


def test_the_repr_shows_how_full_it_is() -> None:
    cache = BoundedCache(Doubler(), entries=4, max_bytes=1000)
    filled(cache, "abc")
    assert repr(cache) == "BoundedCache(1, bytes=6)"
