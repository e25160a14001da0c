from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.workers.crash_report import crash_fields

END: dict[str, Any] = {"stderr": "", "garbage": "", "broken": "", "busy": True, "killed": False}
TIME = "Maximum execution time of 1 second exceeded in /app/a.php on line 23"


def test_the_error_of_php_is_separate_from_other_output() -> None:
    stderr = (
        "loading\nPHP Fatal error:  Uncaught LogicException: no in /app/a.php:8\n"
        "Stack trace:\n#0 {main}\n  thrown in /app/a.php on line 8"
    )
    assert crash_fields(255, **END | {"stderr": stderr}) == {
        "exit": "exit code 255",
        "error": "LogicException: no in /app/a.php:8",
        "trace": ["#0 {main}"],
        "stderr": "loading",
    }


def test_an_error_without_a_trace_has_no_trace_field() -> None:
    stderr = f"PHP Fatal error:  {TIME}"
    assert crash_fields(255, **END | {"stderr": stderr}) == {"exit": "exit code 255", "error": TIME}


def test_printed_text_is_shown_and_the_frame_error_that_it_caused_is_not() -> None:
    fields = crash_fields(-9, **END | {"garbage": "dumped", "broken": "not a frame", "killed": True})
    assert fields["stdout"] == "dumped"
    assert "stdout, which carries its replies" in fields["hint"]
    assert "error" not in fields


def test_only_the_last_lines_of_stderr_are_logged() -> None:
    stderr = "\n".join(str(number) for number in range(50))
    assert crash_fields(1, **END | {"stderr": stderr})["stderr"].split("\n") == [str(n) for n in range(40, 50)]


@pytest.mark.parametrize(
    ("status", "changes", "hint"),
    [
        (-9, {}, "out of memory"),
        (-9, {"killed": True}, None),
        (-11, {}, "extensions crashed"),
        (255, {}, "display_errors=stderr"),
        (255, {"stderr": f"PHP Fatal error:  {TIME}"}, None),
        (0, {}, "(exit, die)"),
        (0, {"busy": False}, None),
        (3, {}, None),
    ],
)
def test_an_unexplained_exit_has_a_hint(status: int, changes: dict[str, Any], hint: str | None) -> None:
    found = crash_fields(status, **END | changes).get("hint")
    assert found is None if hint is None else hint in found
