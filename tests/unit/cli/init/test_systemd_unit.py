"""The systemd unit of `rr init`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyroadrunner.cli.init.systemd_unit import Service, systemd_unit

ROOT = Path(__file__).parents[4]


def unit(**changed: object) -> str:
    service = {
        "title": "PHP application",
        "folder": "/srv/app",
        "rr": "/opt/rr/bin/rr",
        "config": ".rr.yaml",
        "user": "app",
        "group": "www-data",
        "writable": ["/srv/app/var"],
    }
    return systemd_unit(Service(**{**service, **changed}))  # type: ignore[arg-type]


def settings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_it_is_the_unit_of_the_manual() -> None:
    assert settings(unit()) == settings((ROOT / "examples" / "systemd" / "rr.service").read_text("utf-8"))


@pytest.mark.parametrize("folder", ["/home/ann/app", "/root/app"])
def test_a_home_folder_stays_visible(folder: str) -> None:
    assert "ProtectHome=read-only" in unit(folder=folder)


def test_special_characters_are_written_as_systemd_reads_them() -> None:
    text = unit(folder="/srv/50% off", config='my "rr".yaml', writable=["/srv/50% off/var"])
    assert "WorkingDirectory=/srv/50%% off" in text
    assert 'serve -c "my \\"rr\\".yaml"' in text
    assert 'ReadWritePaths="/srv/50%% off/var"' in text


def test_without_a_folder_to_write_to_the_line_is_a_comment() -> None:
    assert re.search(r"^#ReadWritePaths=/srv/app/var$", unit(writable=[]), re.MULTILINE)
