"""The changes that replace workers, and how they are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyroadrunner.cli.serve.watch import Watcher, describe_changes, split
from pyroadrunner.errors import RoadRunnerError


async def nothing() -> None: ...


def watcher(*paths: Path) -> Watcher:
    return Watcher([str(path) for path in paths], "", lambda text: None, nothing)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("src/Kernel.php", True),
        ("templates/base.html.twig", True),
        ("worker.py", True),
        (".env", True),
        ("vendor/autoload.php", True),
        ("storage/framework/views/abc.php", False),
        ("var/cache/dev/Container.php", False),
        ("node_modules/x/y.php", False),
        ("access.log", False),
        ("database.sqlite", False),
    ],
)
def test_code_counts_and_files_written_at_runtime_do_not(tmp_path: Path, path: str, answer: bool) -> None:
    assert watcher(tmp_path).counts(str(tmp_path / path)) is answer


def test_folders_outside_count_only_if_named(tmp_path: Path) -> None:
    source, other, notes = tmp_path / "var" / "src", tmp_path / "other", tmp_path / "notes.txt"
    source.mkdir(parents=True)
    notes.touch()
    watching = watcher(source, notes)
    assert watching.counts(str(source / "a.php"))  # the parent folder has an ignored name
    assert watching.counts(str(notes))
    assert not watching.counts(str(other / "a.php"))
    assert not watching.counts(str(tmp_path / "a.php"))


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RoadRunnerError, match=r"--watch=.*/missing: no such file or folder"):
        watcher(tmp_path / "missing")


def test_the_line_names_one_file_and_counts_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert describe_changes([f"{tmp_path}/src/a.php"]) == "src/a.php changed"
    assert describe_changes([f"{tmp_path}/src/a.php", f"{tmp_path}/src/b.php"]) == "src/a.php (and 1 more) changed"
    assert describe_changes(["/elsewhere/a.php"]) == "/elsewhere/a.php changed"


def test_values_of_the_flag() -> None:
    assert split(["", "a,b", "c"]) == ["a", "b", "c"]
