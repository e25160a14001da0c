"""`rr licenses`: what an installation consists of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyroadrunner.cli.licenses import command
from pyroadrunner.cli.licenses.components import of_bundle, of_environment
from pyroadrunner.cli.main import main


def test_an_environment_has_the_packages_that_the_server_needs() -> None:
    found = {one.name.lower(): one for one in of_environment()}
    assert {"pyroadrunner", "h2corn", "msgspec", "pyyaml", "uvloop"} <= set(found)
    assert found["pyroadrunner"].license == "MIT"
    assert "Permission is hereby granted" in found["pyroadrunner"].texts[0]
    assert all(found[name].license for name in ("h2corn", "msgspec", "pyyaml", "uvloop"))
    assert "pytest" not in found


def test_a_package_that_is_not_installed_needs_nothing() -> None:
    assert of_environment("no-such-package") == []


def test_a_bundle_lists_its_c_libraries_too(tmp_path: Path) -> None:
    (tmp_path / "licenses").mkdir()
    (tmp_path / "licenses" / "zlib.txt").write_text("the zlib text")
    listed = [{"name": "zlib", "version": "1.3.1", "license": "Zlib", "texts": ["zlib.txt"]}]
    (tmp_path / "components.json").write_text(json.dumps(listed))
    zlib = next(one for one in of_bundle(tmp_path) if one.name == "zlib")
    assert (zlib.version, zlib.license, zlib.texts) == ("1.3.1", "Zlib", ("the zlib text",))


def test_the_command_prints_a_table_json_or_the_texts(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["licenses"]) == 0
    assert "uvloop" in capfd.readouterr().out
    assert main(["licenses", "--json"]) == 0
    assert {"name", "version", "license"} == set(json.loads(capfd.readouterr().out)[0])
    assert command.run(full=True, as_json=False) == 0
    assert "Permission is hereby granted" in capfd.readouterr().out
