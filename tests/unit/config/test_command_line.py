"""Commands are split as in a shell, and Octane's comma list is accepted."""

from __future__ import annotations

import pytest

from pyroadrunner.config.command_line import split_command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  ", []),
        ("php worker.php", ["php", "worker.php"]),
        ("php  worker.php ", ["php", "worker.php"]),
        ("php a.php --x=1,2", ["php", "a.php", "--x=1,2"]),
        ("php -d 'a b' \"c d\"", ["php", "-d", "a b", "c d"]),
        ("sh -c 'echo \"hi\"'", ["sh", "-c", 'echo "hi"']),
        (r'php "say \"x\" \n"', ["php", r'say "x" \n']),
        ("php ''", ["php", ""]),
        ("php a'b c'd", ["php", "ab cd"]),
        (r"php my\ dir/a.php", ["php", "my dir/a.php"]),
        (r"php run App\Worker\Http", ["php", "run", r"App\Worker\Http"]),
        ("php,worker.php", ["php", "worker.php"]),
        ("/usr/bin/php,/app/vendor/bin/roadrunner-worker", ["/usr/bin/php", "/app/vendor/bin/roadrunner-worker"]),
        ("/usr/bin/php,/my app/vendor/bin/roadrunner-worker", ["/usr/bin/php", "/my app/vendor/bin/roadrunner-worker"]),
        ("'a,b' c", ["a,b", "c"]),
        ("php\n  worker.php", ["php", "worker.php"]),
    ],
)
def test_a_command_is_split(text: str, words: list[str]) -> None:
    assert split_command(text) == words


@pytest.mark.parametrize("text", ["php 'a", 'php "a', "php a\"b'"])
def test_an_open_quote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not closed"):
        split_command(text)
