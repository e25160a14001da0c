"""Command lines as RoadRunner's users and scripts write them."""

from __future__ import annotations

from typing import Any

import pytest

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.flags import Line, UsageError, parse

OCTANE = (
    "-c /app/.rr.yaml -o version=3 -o http.address=127.0.0.1:8000"
    " -o server.command=/usr/bin/php,/app/vendor/bin/roadrunner-worker -o http.pool.num_workers=0"
    " -o http.pool.max_jobs=500 -o rpc.listen=tcp://127.0.0.1:6001 -o http.pool.supervisor.exec_ttl=30s"
    " -o http.static.dir=/app/public -o http.middleware=static -o logs.mode=production -o logs.level=warn"
    " -o logs.output=stdout -o logs.encoding=json serve"
)


def read(text: str) -> Line:
    return parse(text.split(" ") if text else [], COMMANDS, SHARED)


def test_octanes_command_line_is_parsed() -> None:
    line = read(OCTANE)
    assert line.words == ("serve",)
    assert line.arguments == []
    assert line.text("config") == "/app/.rr.yaml"
    assert line.texts("override") == tuple(OCTANE.split(" ")[3:-1:2])
    assert set(line.values) == {"config", "override"}


def test_octanes_reset_is_parsed() -> None:
    line = read("reset -o rpc.listen=tcp://127.0.0.1:6001 -s")
    assert (line.words, line.on("silent"), line.texts("override")) == (
        ("reset",),
        True,
        ("rpc.listen=tcp://127.0.0.1:6001",),
    )


SERVE: list[tuple[str, list[str], dict[str, Any]]] = [
    ("serve", [], {}),
    ("serve worker.php", ["worker.php"], {}),
    ("-c x -o a=b serve", [], {"config": "x", "override": ["a=b"]}),
    ("serve -c x -o a=b", [], {"config": "x", "override": ["a=b"]}),
    ("-c x serve -o a=b -o c=d=e w.php", ["w.php"], {"config": "x", "override": ["a=b", "c=d=e"]}),
    ("--config=x serve --override a=b,c", [], {"config": "x", "override": ["a=b,c"]}),
    ("-cx -w=/y serve", [], {"config": "x", "WorkDir": "/y"}),
    ("serve -dsp", [], {"debug": True, "silent": True, "pid": True}),
    ("serve -spc x", [], {"silent": True, "pid": True, "config": "x"}),
    ("serve --silent=false -d=1", [], {"silent": False, "debug": True}),
    ("serve -- -c", ["-c"], {}),
    ("serve -c -x", [], {"config": "-x"}),
    ("serve -", ["-"], {}),
    ("serve --dotenv .env -e -f", [], {"dotenv": ".env", "enable-experimental": True, "force": True}),
]


@pytest.mark.parametrize(("text", "arguments", "values"), SERVE)
def test_flags_may_stand_before_and_after_the_command(text: str, arguments: list[str], values: dict[str, Any]) -> None:
    line = read(text)
    assert (line.words, line.arguments, line.values) == (("serve",), arguments, values)


@pytest.mark.parametrize(
    ("text", "words", "arguments"),
    [
        ("", (), []),
        ("-h", (), []),
        ("config", ("config",), []),
        ("config check --json", ("config", "check"), []),
        ("--json config show --reveal", ("config", "show"), []),
        ("workers -i http jobs", ("workers",), ["http", "jobs"]),
        ("-i workers", ("workers",), []),
        ("help config check", ("help",), ["config", "check"]),
    ],
)
def test_commands_are_found(text: str, words: tuple[str, ...], arguments: list[str]) -> None:
    line = read(text)
    assert (line.words, line.arguments) == (words, arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", 'unknown command "foo" for "rr"'),
        ("-c x foo", 'unknown command "foo" for "rr"'),
        ("workrs", 'unknown command "workrs" for "rr"; did you mean `workers`?'),
        ("config chek", 'unknown command "chek" for "rr config"; did you mean `check`?'),
        ("stop now", 'unknown command "now" for "rr stop"'),
        ("serve --x", "unknown flag: --x"),
        ("serve --x=1", "unknown flag: --x"),
        ("serve --conf x", "unknown flag: --conf"),
        ("serve -sx", "unknown shorthand flag: 'x' in -sx"),
        ("serve --json", "unknown flag: --json"),
        ("serve -i", "unknown shorthand flag: 'i' in -i"),
        ("serve -c", "flag needs an argument: 'c' in -c"),
        ("serve --config", "flag needs an argument: --config"),
        ("serve --silent=maybe", 'invalid argument "maybe" for "-s, --silent" flag: expected true or false'),
        ("serve a.php b.php", "rr serve accepts at most 1 argument(s), received 2"),
    ],
)
def test_invalid_command_lines_are_reported(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert str(caught.value) == message
