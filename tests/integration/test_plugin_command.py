"""`rr plugin` with real wheels from a folder, in an environment of Python and beside a bundled interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.packages import EXAMPLES

SPOOL = "rr-plugin-spool"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a plugin, and with one that needs another version of the server."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", folder, EXAMPLES / "plugin-spool"], check=True)
    demanding = folder / "demanding"
    (demanding / "demanding").mkdir(parents=True)
    (demanding / "demanding" / "__init__.py").write_text("")
    (demanding / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "demanding"\nversion = "1.0"\ndependencies = ["pyroadrunner>=99"]\n'
    )
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", folder, demanding], check=True)
    return folder


@dataclass
class Installation:
    """A Python environment that sees the packages of the tests' own, pip among them.

    Attributes:
        python: its interpreter.
        env: variables of its `rr`.
    """

    python: Path
    env: dict[str, str]

    def rr(self, *arguments: str | Path, code: int = 0) -> str:
        """Run a command; its output, of both streams."""
        command = [str(self.python), "-I", "-m", "pyroadrunner.cli", *map(str, arguments)]
        env = {**os.environ, **self.env}
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == code, done.stdout
        return done.stdout

    def listed(self) -> list[str]:
        return [one["name"] for one in json.loads(self.rr("plugin", "list", "--json"))]


def see_ours(packages: Path) -> None:
    paths = [sysconfig.get_path("purelib"), str(EXAMPLES.parent / "src")]
    packages.mkdir(parents=True, exist_ok=True)
    (packages / "ours.pth").write_text("".join(f"{path}\n" for path in paths))


@pytest.fixture
def environment(tmp_path: Path) -> Installation:
    folder = tmp_path / "venv"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    see_ours(site_packages(folder))
    return Installation(folder / "bin" / "python", {})


@pytest.fixture
def bundle(environment: Installation, tmp_path: Path) -> Installation:
    (environment.python.parent.parent / "share" / "pyroadrunner").mkdir(parents=True)
    environment.env["RR_PLUGINS"] = str(tmp_path / "plugins")
    folder = tmp_path / "plugins" / f"cp{sys.version_info[0]}{sys.version_info[1]}"
    see_ours(site_packages(folder))  # a bundle has pip beside its interpreter
    return environment


def site_packages(environment: Path) -> Path:
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


@pytest.mark.parametrize("kind", ["environment", "bundle"])
def test_a_plugin_is_installed_found_listed_and_removed(
    kind: str, wheels: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    installation: Installation = request.getfixturevalue(kind)
    out = installation.rr("plugin", "install", "--from", wheels, SPOOL)
    assert out == f"{SPOOL} 1.0 is installed: add the section spool to .rr.yaml, then start the server again\n"
    assert SPOOL in installation.listed()
    (tmp_path / ".rr.yaml").write_text("version: '3'\nspool: {interval: nonsense}\n")
    checked = installation.rr("config", "check", "-c", tmp_path / ".rr.yaml", code=1)
    assert "spool.interval" in checked  # the model of the section comes from the package
    assert installation.rr("plugin", "remove", SPOOL).startswith(f"{SPOOL} is removed")
    assert SPOOL not in installation.listed()


def test_the_folder_of_a_bundle_has_only_the_plugin(bundle: Installation, wheels: Path, tmp_path: Path) -> None:
    bundle.rr("plugin", "install", "--from", wheels, SPOOL)
    packages = next((tmp_path / "plugins").glob("cp*/lib/python*/site-packages"))
    names = {path.name.partition("-")[0] for path in packages.iterdir() if path.name.endswith(".dist-info")}
    assert names == {"rr_plugin_spool"}  # what the server itself consists of is not installed again


def test_a_plugin_can_not_change_the_server(environment: Installation, wheels: Path) -> None:
    out = environment.rr("plugin", "install", "--from", wheels, "demanding", code=1)
    assert out.startswith("this does not fit the installed server:\n    demanding 1.0 depends on pyroadrunner>=99\n")


def test_what_can_not_be_installed_is_an_error_in_words(bundle: Installation, wheels: Path) -> None:
    out = bundle.rr("plugin", "install", "--from", wheels, "no-such-plugin", code=1)
    assert "No matching distribution found for no-such-plugin" in out
    bundle.env |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    out = bundle.rr("plugin", "install", "no-such-plugin", code=1)
    assert out.startswith("the package index does not answer. Without a network")
    assert bundle.rr("plugin", "install", code=1).startswith("name a package: rr plugin install NAME...")


def test_what_is_not_installed_is_not_removed(bundle: Installation) -> None:
    assert bundle.rr("plugin", "remove", "spool", code=1) == "no such plugin is installed: spool\n"
    assert bundle.rr("plugin", "remove", "uvloop", code=1) == "no such plugin is installed: uvloop\n"
    assert bundle.rr("plugin", "list") == "no plugins are installed; rr plugin install NAME installs one\n"


def test_a_folder_that_can_not_be_written_is_named(bundle: Installation, wheels: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    bundle.env["RR_PLUGINS"] = str(tmp_path / "file")
    out = bundle.rr("plugin", "install", "--from", wheels, SPOOL, code=1)
    assert out.startswith(f"{tmp_path}/file/cp")
    assert "Not a directory" in out
