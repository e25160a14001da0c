"""`rr serve worker.php`: the command of a file, and its flag."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.serve.worker_file import command_for, defaults, override
from pyroadrunner.config.check import check
from pyroadrunner.config.load import LoadOptions, load_without_file
from pyroadrunner.config.models import section_models
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.plugins.server.config import ServerConfig


def test_the_extension_chooses_the_interpreter() -> None:
    assert command_for("/a/worker.php", "/py") == ["php", "/a/worker.php"]
    assert command_for("/a/worker.py", "/py") == ["/py", "/a/worker.py"]
    with pytest.raises(RoadRunnerError, match=r"worker\.rb: a worker file must end in \.php or \.py"):
        command_for("worker.rb", "/py")


@pytest.mark.parametrize(
    "command",
    [
        ["php", "worker.php"],
        ["php", "my worker.php"],
        ["/my python/bin/python", "it's.py"],
        ["php", 'a"b\\c,d.php'],
        ["/opt/a,b/python", "ünï.py"],
        ["php", "end'"],
    ],
)
def test_the_flag_gives_exactly_the_same_words(command: list[str]) -> None:
    options = LoadOptions(overrides=(override(command),))
    raw = load_without_file({"server": {"command": "other"}}, options, source="test")
    section = check(raw, {"server": ServerConfig}).sections["server"]
    assert isinstance(section, ServerConfig)
    assert section.command == command


def test_the_defaults_are_valid_and_listen_on_loopback_only() -> None:
    raw = load_without_file(defaults(["php", "w.php"]), LoadOptions(), source="test")
    checked = check(raw, section_models())
    assert (checked.faults, checked.warnings) == ([], [])
    assert "127.0.0.1" in raw.data["http"]["address"]
    assert "127.0.0.1" in raw.data["rpc"]["listen"]
