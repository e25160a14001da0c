"""Processes are read from /proc and sorted into server and PHP."""

from __future__ import annotations

from bench.processes import PAGE_BYTES, TICKS, Process, parse_stat, under


def line(pid: int, command: str, parent: int, user: int = 0, system: int = 0, pages: int = 0) -> str:
    """A line of proc(5): 52 fields, those that are read set."""
    fields = ["0"] * 50
    fields[0], fields[1] = "S", str(parent)
    fields[11], fields[12], fields[21] = str(user), str(system), str(pages)
    return f"{pid} ({command}) {' '.join(fields)}"


def process(pid: int, parent: int, command: str = "rr") -> Process:
    return parse_stat(line(pid, command, parent))


def test_cpu_is_user_and_system_time_and_memory_is_counted_in_pages() -> None:
    found = parse_stat(line(42, "rr", 7, user=3 * TICKS, system=TICKS, pages=10))
    assert (found.pid, found.parent, found.command) == (42, 7, "rr")
    assert found.cpu_seconds == 4.0
    assert found.rss_bytes == 10 * PAGE_BYTES


def test_a_command_may_have_blanks_and_parentheses() -> None:
    assert parse_stat(line(1, "a) (b c", 9)).command == "a) (b c"
    assert parse_stat(line(1, "a) (b c", 9)).parent == 9


def test_php_and_php_fpm_are_php_and_python_is_not() -> None:
    assert process(1, 0, "php").is_php
    assert process(1, 0, "php-fpm8.2").is_php
    assert not process(1, 0, "python").is_php


def test_a_tree_is_the_roots_and_all_below_them() -> None:
    everyone = [process(1, 0), process(2, 1), process(3, 2), process(4, 0), process(5, 4), process(6, 9)]
    assert sorted(one.pid for one in under([1, 4], everyone)) == [1, 2, 3, 4, 5]


def test_a_root_below_another_is_counted_once() -> None:
    everyone = [process(1, 0), process(2, 1)]
    assert sorted(one.pid for one in under([1, 2], everyone)) == [1, 2]
