"""The folder for temporary files."""

from __future__ import annotations

import tempfile

import pytest

from pyroadrunner.config.temporary import temporary_folder


def test_it_is_the_folder_of_the_system() -> None:
    assert temporary_folder() == tempfile.gettempdir()


@pytest.mark.parametrize(("env", "folder"), [("", "/tmp"), ("/var/spool/mine", "/var/spool/mine")])
def test_without_a_writable_folder_it_is_tmpdir_or_tmp(monkeypatch: pytest.MonkeyPatch, env: str, folder: str) -> None:
    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setenv("TMPDIR", env)
    assert temporary_folder() == folder
