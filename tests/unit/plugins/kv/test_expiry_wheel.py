"""Each key is taken once, after its second has passed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyroadrunner.plugins.kv.expiry_wheel import ExpiryWheel


def test_a_key_is_taken_only_after_its_second_has_passed() -> None:
    wheel = ExpiryWheel()
    wheel.add("a", 5_300)
    assert wheel.take(5_999, 10) == []
    assert wheel.take(6_000, 10) == ["a"]
    assert wheel.take(60_000, 10) == []
    assert not wheel


def test_the_number_of_taken_keys_is_limited() -> None:
    wheel = ExpiryWheel()
    for number in range(5):
        wheel.add(str(number), 1_000)
    taken = [wheel.take(9_000, 2) for _ in range(4)]
    assert [len(keys) for keys in taken] == [2, 2, 1, 0]
    assert sorted(key for keys in taken for key in keys) == list("01234")


def test_a_key_that_was_removed_or_moved_is_not_taken_at_its_old_time() -> None:
    wheel = ExpiryWheel()
    wheel.add("removed", 1_000)
    wheel.add("moved", 1_000)
    wheel.remove("removed", 1_000)
    wheel.move("moved", 1_000, 8_000)
    assert wheel.take(7_000, 10) == []
    assert wheel.take(9_000, 10) == ["moved"]


def test_a_clock_set_back_or_forward_by_years_loses_nothing() -> None:
    wheel = ExpiryWheel()
    wheel.add("a", 50_000_000_000_000)
    assert wheel.take(60_000_000_000_000, 10) == ["a"]
    wheel.add("b", 1_000)
    wheel.add("c", 40_000_000_000_000)
    assert wheel.take(2_000, 10) == ["b"]
    assert wheel.take(50_000_000_000_000, 10) == ["c"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 20_000), st.sampled_from(["add", "remove", "take"])),
        max_size=60,
    )
)
def test_it_agrees_with_a_plain_dict(steps: list[tuple[str, int, str]]) -> None:
    wheel, plain, now = ExpiryWheel(), dict[str, int](), 0
    for key, time, step in steps:
        if step == "add" and key in plain:
            wheel.move(key, plain[key], time)
            plain[key] = time
        elif step == "add":
            wheel.add(key, time)
            plain[key] = time
        elif step == "remove" and key in plain:
            wheel.remove(key, plain.pop(key))
        elif step == "take":
            now = max(now, time)
            expected = {name for name, expires in plain.items() if expires // 1000 < now // 1000}
            assert set(wheel.take(now, 100)) == expected
            for name in expected:
                del plain[name]
    assert bool(wheel) == bool(plain)
