"""The files around the code agree with it: the lock file, the hooks, the workflows, the project's description."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pyroadrunner.plugins.server.php_library import _FOLDERS
from pyroadrunner.version import __version__

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = (ROOT / "requirements-dev.lock").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def locked() -> dict[str, Requirement]:
    found = [Requirement(line) for line in LOCK.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def wanted() -> list[Requirement]:
    """The requirements of the lock's groups; the project itself means its dependencies and extras."""
    groups: dict[str, list[str]] = PROJECT["dependency-groups"]
    found = [Requirement(text) for text in [*groups["dev"], *groups["dist"]]]
    extras = next(requirement.extras for requirement in found if requirement.name == "pyroadrunner")
    own: list[str] = PROJECT["project"]["dependencies"]
    for extra in sorted(extras):
        own = own + PROJECT["project"]["optional-dependencies"][extra]
    return [requirement for requirement in found if requirement.name != "pyroadrunner"] + list(map(Requirement, own))


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_has_a_version_that_fits_each_requirement(requirement: Requirement) -> None:
    """If this fails, run: sh scripts/lock.sh"""
    [pin] = locked()[canonicalize_name(requirement.name)].specifier
    assert pin.operator == "=="
    assert requirement.specifier.contains(pin.version, prereleases=True)


def test_the_lock_has_versions_but_nothing_of_the_machine_that_made_it() -> None:
    assert re.findall(r"https?:|file:|@|--|(?<!scripts)/", LOCK) == []
    assert "pyroadrunner" not in locked()


def test_the_hooks_run_the_checks_of_lint() -> None:
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    hooks = {hook["id"]: hook["entry"].replace(" --force-exclude", "") for hook in local["hooks"]}
    lint = (ROOT / "scripts" / "lint.sh").read_text("utf-8")
    checks = {
        name: f".venv/bin/{command}" for name, command in re.findall(r"^check (\w+) \$bin/(.*)$", lint, re.MULTILINE)
    }
    assert hooks == {name: command.removesuffix(" .") for name, command in checks.items()}
    assert all(hook["language"] == "system" for hook in local["hooks"])


def test_the_wheel_has_the_php_library_where_workers_load_it_from() -> None:
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {"php": "pyroadrunner/php"}
    assert _FOLDERS == (ROOT / "src" / "pyroadrunner" / "php", ROOT / "php")


def load(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return parsed


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_read_permissions_only_and_runs_existing_targets(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step)
        assert set(re.findall(r"^make (\w+)", step.get("run", ""), re.MULTILINE)) <= targets
    for job in workflow["jobs"].values():
        reused = job.get("uses")
        assert reused is None or (ROOT / reused).is_file()
        assert reused is not None or job["timeout-minutes"] > 0
        assert set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])) <= set(
            workflow["jobs"]
        )


def test_the_workflows_test_every_python_that_the_package_names() -> None:
    named = {text.rpartition(" ")[2] for text in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", text)}
    jobs = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    assert set(jobs["linux"]["strategy"]["matrix"]["python"]) == named
    assert set(jobs["macos"]["strategy"]["matrix"]["python"]) <= named
    assert min(named, key=lambda text: int(text.split(".")[1])) == PROJECT["project"]["requires-python"].removeprefix(
        ">="
    )


def test_only_the_last_step_of_a_release_may_publish_and_it_has_no_password() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "release.yml")
    publish = workflow["jobs"]["publish"]
    assert set(publish["needs"]) == {"test", "wheels", "onefile"}
    assert publish["permissions"] == {"id-token": "write"}
    assert [name for name, job in workflow["jobs"].items() if "id-token" in job.get("permissions", {})] == ["publish"]
    assert "secrets." not in json.dumps(workflow)


def test_the_release_finds_the_version_in_the_file_that_has_it() -> None:
    [check] = [
        step["run"]
        for step in steps(load(ROOT / ".github" / "workflows" / "release.yml"))
        if "sed" in step.get("run", "")
    ]
    [pattern, path] = re.findall(r"s/(\^.*?\$)/.* (\S+)\)", check)[0]
    found = re.findall(pattern.replace(r"\(", "(").replace(r"\)", ")"), (ROOT / path).read_text("utf-8"), re.MULTILINE)
    assert found == [__version__]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_has_fields(path: Path) -> None:
    form = load(path)
    if path.name == "config.yml":
        assert all(link["url"].startswith(PROJECT["project"]["urls"]["Homepage"]) for link in form["contact_links"])
        return
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    assert any(field.get("validations", {}).get("required") for field in form["body"])
