"""Files that are deleted at an exit without clean-up."""

from __future__ import annotations

from pathlib import Path

from pyroadrunner import temporary_files


def test_remaining_files_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    paths = [tmp_path / "left", tmp_path / "moved", tmp_path / "kept", folder / "inside"]
    for path in paths:
        path.touch()
    for path in (*paths[:3], folder):
        temporary_files.add(str(path))
    temporary_files.discard(str(tmp_path / "kept"))
    (tmp_path / "moved").rename(tmp_path / "elsewhere")
    temporary_files.delete_all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "kept"]
    (tmp_path / "left").touch()
    temporary_files.delete_all()
    assert (tmp_path / "left").exists(), "it is forgotten once it was deleted"
