"""How this copy is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyroadrunner import installation
from pyroadrunner.cli.main import version_line
from pyroadrunner.installation import plugin_folder


@pytest.fixture(autouse=True)
def not_entered() -> Iterator[None]:
    yield
    installation._file = ""


def test_the_path_of_the_one_file_leaves_the_environment() -> None:
    env = {"RR_ONEFILE": "/srv/rr", "PATH": "/bin"}
    installation.enter(env)
    assert env == {"PATH": "/bin"}
    assert installation.file() == "/srv/rr"
    assert ", one file), OS: " in version_line()


def test_without_the_one_file_nothing_is_said_of_it() -> None:
    installation.enter({})
    assert installation.file() == ""
    assert "one file" not in version_line()


def test_a_restart_executes_the_one_file_which_may_be_a_new_version() -> None:
    launched = ["/cache/0123/bin/rr", "-I", "-m", "pyroadrunner.cli", "serve", "-c", "x.yaml"]
    assert installation.command("/srv/rr", "/cache/0123/bin/rr", launched) == ["/srv/rr", "serve", "-c", "x.yaml"]


def test_a_restart_of_another_installation_repeats_its_command() -> None:
    launched = ["python", "/venv/bin/rr", "serve"]
    assert installation.command("", "/venv/bin/python", launched) == ["/venv/bin/python", "/venv/bin/rr", "serve"]


@pytest.mark.parametrize(
    ("env", "user", "folder"),
    [
        ({"HOME": "/home/ann"}, 1000, "/home/ann/.local/share/pyroadrunner/plugins"),
        ({"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}, 1000, "/data/pyroadrunner/plugins"),
        ({"HOME": "/home/ann", "XDG_DATA_HOME": "relative"}, 1000, "/home/ann/.local/share/pyroadrunner/plugins"),
        ({"HOME": "/home/ann"}, 0, "/var/lib/pyroadrunner/plugins"),  # sudo may keep HOME
        ({"HOME": "/home/ann", "RR_PLUGINS": "/srv/plugins"}, 0, "/srv/plugins"),
        ({}, 1000, "/nonexistent/.local/share/pyroadrunner/plugins"),
    ],
)
def test_plugins_of_a_bundle_have_a_folder_by_user_and_interpreter(env: dict[str, str], user: int, folder: str) -> None:
    path = plugin_folder.installs_to(env, user)
    assert path.parent == Path(folder)
    assert path.name.startswith("cp3")


def test_a_server_finds_its_users_plugins_and_those_of_all_users() -> None:
    searched = [path.parent for path in plugin_folder.searched({"HOME": "/home/ann"}, 1000)]
    assert searched == [Path("/home/ann/.local/share/pyroadrunner/plugins"), Path("/var/lib/pyroadrunner/plugins")]
    assert len(plugin_folder.searched({}, 0)) == 1
    assert len(plugin_folder.searched({"RR_PLUGINS": "/srv"}, 1000)) == 1


def test_a_folder_that_others_may_write_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_PLUGINS", str(tmp_path))
    monkeypatch.setattr("sys.path", ["first"])
    packages = plugin_folder.packages_in(plugin_folder.installs_to({"RR_PLUGINS": str(tmp_path)}, 0))
    plugin_folder.activate()  # there is none yet
    packages.mkdir(parents=True)
    packages.chmod(0o777)
    plugin_folder.activate()
    import sys

    assert sys.path == ["first"]
    packages.chmod(0o755)
    plugin_folder.activate()
    assert sys.path == ["first", str(packages)]
