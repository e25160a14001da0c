"""Names and ages of rotated files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pyroadrunner.plugins.logger.config import FileLoggerConfig
from pyroadrunner.plugins.logger.rotation import Retention, RotatingOutput, backup_name, moment_of, to_remove

MOMENT = datetime(2026, 11, 24, 2, 33, 40, 72_000, UTC).timestamp()
NAME = "app-2026-11-24T02-33-40.072.log"
PATH = Path("/var/log/app.log")


def test_a_backup_is_named_after_its_time_which_can_be_read_back() -> None:
    assert backup_name(PATH, 1_795_487_620_072_266_333) == PATH.with_name(NAME)
    assert moment_of(PATH, NAME) == pytest.approx(MOMENT)
    assert moment_of(PATH, NAME + ".gz") == pytest.approx(MOMENT)


@pytest.mark.parametrize(
    "name",
    ["app.log", "other-2026-11-24T02-33-40.072.log", NAME + ".part", "app-2026-13-44T02-33-40.072.log", "app-x.log"],
)
def test_other_files_are_not_backups(name: str) -> None:
    assert moment_of(PATH, name) is None


def test_excess_and_old_backups_are_removed_oldest_first() -> None:
    names = [f"app-2026-11-2{day}T00-00-00.000.log" for day in (4, 1, 3, 2)]
    now = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
    assert to_remove(PATH, [*names, "app.log"], Retention(count=3, age_seconds=10 * 86_400), now) == [names[1]]
    assert to_remove(PATH, names, Retention(count=9, age_seconds=86_400), now) == [names[1], names[3], names[2]]


def test_a_full_file_is_rotated_without_losing_a_line(tmp_path: Path) -> None:
    output = RotatingOutput(FileLoggerConfig(log_output=str(tmp_path / "logs" / "app.log"), max_size=1, max_backups=9))
    line = b"x" * 65_535 + b"\n"
    for _ in range(40):
        assert output.write(line) == len(line)
    output.close()
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 3
    assert all(file.stat().st_size <= 2**20 for file in files)
    assert sum(file.stat().st_size for file in files) == 40 * len(line)


def test_rotated_files_are_compressed_and_the_oldest_are_removed(tmp_path: Path) -> None:
    config = FileLoggerConfig(
        log_output=str(tmp_path / "app.log"), max_size=1, max_age=10**6, max_backups=2, compress=True
    )
    for day in (1, 2, 3):
        (tmp_path / f"app-2026-11-0{day}T00-00-00.000.log").write_bytes(b"old\n")
    output = RotatingOutput(config)
    for _ in range(2):
        output.write(b"x" * 2**20)
    output.close()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names[-1] == "app.log"
    assert [name for name in names if name.endswith(".log")] == ["app.log"]
    assert len([name for name in names if name.endswith(".log.gz")]) == 2
    assert not any("11-01" in name for name in names)
