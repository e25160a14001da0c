"""`rr plugin`: packages by their entry points, output, and what pip's messages mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyroadrunner.cli.plugin import render
from pyroadrunner.cli.plugin.packages import Package, installed_in, name_of
from pyroadrunner.cli.plugin.pip import explain

SPOOL = Package(name="rr-spool", version="1.0", adds=(("driver of jobs", "lake"), ("section", "spool")))
LIBRARY = Package(name="orjson", version="3.11", adds=())


def write_package(folder: Path, name: str, entries: str = "") -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)


def test_packages_say_what_they_add(tmp_path: Path) -> None:
    write_package(
        tmp_path, "rr-spool", "[pyroadrunner.plugins]\nspool = a:B\n[pyroadrunner.jobs_drivers]\nlake = a:C\n"
    )
    write_package(tmp_path, "orjson")
    write_package(tmp_path, "pyroadrunner", "[pyroadrunner.plugins]\nhttp = a:B\n")
    found = installed_in(tmp_path)
    assert [(one.name, one.adds) for one in found] == [("orjson", ()), ("rr-spool", SPOOL.adds)]


def test_a_missing_folder_has_no_packages(tmp_path: Path) -> None:
    assert installed_in(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("rr-spool", "rr-spool"),
        ("RR_Spool[x]>=1,<2", "rr-spool"),
        ("rr.spool==1.0", "rr-spool"),
        ("/some/where/rr_spool-1.0-py3-none-any.whl", "rr-spool"),
        (">=1", ""),
    ],
)
def test_the_name_in_a_requirement(requirement: str, name: str) -> None:
    assert name_of(requirement) == name


def test_the_next_step_is_named() -> None:
    assert render.installed(SPOOL) == (
        "rr-spool 1.0 is installed: add the section spool to .rr.yaml, then start the server again"
    )
    assert "it has no plugin for the server" in render.installed(LIBRARY)


def test_the_table_and_its_json() -> None:
    table = render.table([SPOOL])
    assert "driver of jobs lake, section spool" in table
    assert render.table([]) == "no plugins are installed; rr plugin install NAME installs one"
    assert json.loads(render.as_json([SPOOL])) == [
        {
            "name": "rr-spool",
            "version": "1.0",
            "adds": [{"kind": "driver of jobs", "name": "lake"}, {"kind": "section", "name": "spool"}],
        }
    ]


RETRYING = (
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/rr-spool/\n"
    "ERROR: Could not find a version that satisfies the requirement rr-spool (from versions: none)\n"
    "ERROR: No matching distribution found for rr-spool\n"
)
UNKNOWN = RETRYING.partition("\n")[2]


def test_without_a_network_the_way_around_it_is_named() -> None:
    text = explain("", RETRYING, (3, 13), from_folder=False)
    assert text.startswith("the package index does not answer.")
    assert "rr plugin install --from FOLDER NAME" in text


@pytest.mark.parametrize("from_folder", [True, False])
def test_an_unknown_package_is_pips_answer_with_the_reason(from_folder: bool) -> None:
    text = explain("", UNKNOWN, (3, 13), from_folder=from_folder)
    assert "No matching distribution found for rr-spool\n" in text
    assert "ERROR" not in text
    assert text.endswith("there is no wheel for Python 3.13; packages in source form are not built here")


def test_an_environment_without_pip_is_named() -> None:
    assert "has no pip" in explain("", "/venv/bin/python: No module named pip\n", (3, 13), from_folder=False)


def test_other_failures_are_shown_as_they_are() -> None:
    assert explain("", "some words\nlast words\n", (3, 13), from_folder=False) == "some words\nlast words"
    assert explain("", "", (3, 13), from_folder=False) == "pip failed and gave no reason"


def test_a_plugin_of_another_version_names_the_conflict() -> None:
    lines = ["Looking", "", "The conflict is caused by:", "    a 1.0 depends on pyroadrunner>=99", "    (constraint)"]
    told = "\n".join([*lines, "", "To fix this"])
    assert explain(told, "ERROR: no\n", (3, 13), from_folder=False) == (
        "this does not fit the installed server:\n    a 1.0 depends on pyroadrunner>=99\n    (constraint)"
    )
