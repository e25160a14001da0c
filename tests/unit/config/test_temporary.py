"""Where temporary files go."""

from __future__ import annotations

import tempfile

import pytest

from pyroadrunner.config.temporary import temporary_folder


def test_it_is_the_systems() -> None:
    assert temporary_folder() == tempfile.gettempdir()


@pytest.mark.parametrize(("env", "folder"), [("", "/tmp"), ("/var/spool/mine", "/var/spool/mine")])
def test_where_none_can_be_written_to_it_is_the_one_that_should_be(
    monkeypatch: pytest.MonkeyPatch, env: str, folder: str
) -> None:
    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", none)
    monkeypatch.setenv("TMPDIR", env)
    assert temporary_folder() == folder
