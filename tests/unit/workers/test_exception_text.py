"""Texts as PHP 8.2 and CPython write them."""

from __future__ import annotations

import traceback

from pyroadrunner.workers.exception_text import find_fatal, parse

ONE = """RuntimeException: no price in /app/Cart.php:10
Stack trace:
#0 /app/worker.php(9): Cart->price()
#1 {main}"""
CHAIN = """InvalidArgumentException: bad id in /app/Cart.php:8
Stack trace:
#0 /app/worker.php(9): Cart->find()
#1 {main}

Next RuntimeException: no price
for item 7 in /app/Cart.php:10
Stack trace:
#0 /app/worker.php(9): Cart->price()
#1 {main}"""
CAUSED_BY = [
    "#0 /app/worker.php(9): Cart->price()",
    "#1 {main}",
    "caused by InvalidArgumentException: bad id in /app/Cart.php:8",
    "#0 /app/worker.php(9): Cart->find()",
    "#1 {main}",
]
UNCAUGHT = f"PHP Fatal error:  Uncaught {ONE}\n  thrown in /app/Cart.php on line 10".split("\n")
SHOWN = ["Fatal error: Uncaught" + UNCAUGHT[0].partition("Uncaught")[2], *UNCAUGHT[1:]]
MEMORY = "Allowed memory size of 20971520 bytes exhausted (tried to allocate 2097152 bytes) in /app/a.php on line 26"


def test_an_exception_has_a_message_and_frames() -> None:
    assert parse(ONE) == (
        "RuntimeException: no price in /app/Cart.php:10",
        ["#0 /app/worker.php(9): Cart->price()", "#1 {main}"],
    )


def test_the_last_exception_comes_first_and_its_causes_follow() -> None:
    assert parse(CHAIN) == ("RuntimeException: no price\nfor item 7 in /app/Cart.php:10", CAUSED_BY)


def test_any_other_text_keeps_all_its_lines() -> None:
    assert parse("the application says no") == ("the application says no", [])
    assert parse("no\n  at a\n  at b\n") == ("no", ["  at a", "  at b"])
    assert parse("") == ("", [])


def test_the_message_of_a_python_traceback_is_its_last_lines() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        text = traceback.format_exc()
    message, trace = parse(text)
    assert message == "ValueError: two\nlines"
    assert trace[0].startswith("  File ")


def test_a_very_long_trace_keeps_its_first_and_last_lines() -> None:
    frames = "\n".join(f"#{number} /app/a.php(1): f()" for number in range(5000))
    trace = parse(f"Error: deep in /app/a.php:1\nStack trace:\n{frames}").trace
    assert len(trace) == 100
    assert (trace[0], trace[-1]) == ("#0 /app/a.php(1): f()", "#4999 /app/a.php(1): f()")
    assert trace[79] == "... 4901 lines omitted ..."


def test_an_uncaught_exception_is_found_in_stderr() -> None:
    error, others = find_fatal(["before", *UNCAUGHT, "after"])
    assert error == parse(ONE)
    assert others == ["before", "after"]


def test_an_error_that_is_logged_and_displayed_is_one() -> None:
    assert find_fatal([*UNCAUGHT, *SHOWN]) == (parse(ONE), [])
    assert find_fatal([f"PHP Fatal error:  {MEMORY}", f"Fatal error: {MEMORY}"]) == ((MEMORY, []), [])


def test_causes_are_found_without_the_blank_lines_between_them() -> None:
    lines = f"Fatal error: Uncaught {CHAIN}\n  thrown in /app/Cart.php on line 10".replace("\n\n", "\n").split("\n")
    error, others = find_fatal(lines)
    assert error is not None
    assert error.trace == CAUSED_BY
    assert others == []


def test_a_fatal_error_with_a_time_before_it_and_a_trace_after_it() -> None:
    lines = [f"[30-Nov-2026 01:14:00 UTC] PHP Fatal error:  {MEMORY}", "Stack trace:", "#0 /app/a.php(3): f()", "x"]
    assert find_fatal(lines) == ((MEMORY, ["#0 /app/a.php(3): f()"]), ["x"])


def test_the_last_of_two_errors_counts_and_the_other_stays() -> None:
    error, others = find_fatal(["PHP Fatal error:  first", "PHP Fatal error:  second"])
    assert error == ("second", [])
    assert others == ["first"]


def test_lines_without_a_fatal_error_stay_as_they_are() -> None:
    lines = ["PHP Warning:  it rains in index.php on line 1", "bye"]
    assert find_fatal(lines) == (None, lines)
