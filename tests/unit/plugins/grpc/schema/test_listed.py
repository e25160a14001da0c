from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pyroadrunner.plugins.grpc.schema.errors import SchemaError
from pyroadrunner.plugins.grpc.schema.listed import listed_files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for path in ("a.proto", "p/b.proto", "p/q/c.proto", "p/q/d.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "p/loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "p/q")
    (tmp_path / "folder.proto").mkdir()
    return tmp_path


def files(entries: Sequence[str]) -> list[str]:
    errors: list[SchemaError] = []
    found = [file.path for file in listed_files(entries, errors)]
    assert not errors
    return found


def test_files_are_found_once_in_order() -> None:
    assert files(["p/q/c.proto", "", "**/*.proto", "a.proto", "none/*.proto"]) == [
        "p/q/c.proto",
        "a.proto",
        "p/b.proto",
    ]


def test_a_pattern_of_fixed_depth_follows_links_to_folders(folder: Path) -> None:
    assert files(["linked/*.proto"]) == ["linked/c.proto"]
    assert files(["l*/c.proto"]) == ["linked/c.proto"]
    assert files([f"{folder}/p/*.proto"]) == [f"{folder}/p/b.proto"]


def test_each_wrong_entry_is_an_error_with_its_key(folder: Path) -> None:
    errors: list[SchemaError] = []
    assert listed_files(["x.proto", "a.proto", "[", "p", "a\0b"], errors)[0].entry == 1
    assert [str(error) for error in errors] == [
        f'grpc.proto[0]: "x.proto": No such file or directory (looked in {folder})',
        'grpc.proto[2]: "[": "[" is not closed',
        f'grpc.proto[3]: "p": is not a regular file (looked in {folder})',
        f'grpc.proto[4]: "a\0b": embedded null byte (looked in {folder})',
    ]
