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


def test_a_result_is_made_once() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=4, max_bytes=1000)
    assert [cache["a"], cache["a"], cache["b"]] == ["aa", "aa", "bb"]
    assert make.asked == ["a", "b"]


def test_there_are_never_more_entries_than_allowed() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=2, max_bytes=1000)
    for text in "abcde":
        assert cache[text] == text * 2
        assert len(cache) <= 2
    assert cache["e"] == "ee"
    assert make.asked == list("abcde")


def test_the_bytes_of_all_entries_are_bounded() -> None:
    cache = BoundedCache(Doubler(), entries=1000, max_bytes=160, size=lambda text, made: len(text) + len(made))
    for number in range(100):
        cache[f"{number:03}"]
        assert sum(len(text) + len(made) for text, made in cache.items()) <= 160
    assert "099" in cache


def test_a_large_result_is_not_kept_and_displaces_nothing() -> None:
    make = Doubler()
    cache = BoundedCache(make, entries=4, max_bytes=160)
    assert cache["a"] == "aa"
    assert cache["x" * 6] == cache["x" * 6] == "x" * 12
    assert list(cache) == ["a"]
    assert make.asked == ["a", "xxxxxx", "xxxxxx"]


def test_the_repr_shows_how_full_it_is() -> None:
    cache = BoundedCache(Doubler(), entries=4, max_bytes=1000)
    assert cache["abc"]
    assert repr(cache) == "BoundedCache(1, bytes=6)"
