"""A channel with its own rotated file, in the real server."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from support.php import require_php
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "layers.php"
FULL = b"x" * (2**20 - 1) + b"\n"  # as large as `max_size: 1` allows
OLD = "access-2020-01-02T03-04-05.000.log"


def serving(folder: Path, http: dict[str, Any], **logs: Any) -> Server:
    return Server(
        folder,
        {
            "server": {"command": [require_php(), str(WORKER)]},
            "http": {"pool": {"num_workers": 1}},
            "logs": {"mode": "production", "output": "stderr", "channels": {"http": http}, **logs},
        },
    )


def test_a_full_file_is_rotated_compressed_and_excess_files_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "access.log").write_bytes(FULL)
    (folder / OLD).write_bytes(b"old\n")
    options = {"log_output": "log/access.log", "max_size": 1, "max_backups": 1, "compress": True}
    with serving(tmp_path, {"mode": "production", "file_logger_options": options}) as server:
        for _ in range(2):
            urlopen(server.url).close()
    assert server.exit_code == 0
    lines = [json.loads(line) for line in (folder / "access.log").read_text().splitlines()]
    assert [(line["logger"], line["msg"]) for line in lines] == [("http", "http log")] * 2
    aside = [path for path in folder.iterdir() if path.name != "access.log"]
    assert [path.suffix for path in aside] == [".gz"]
    assert aside[0].name.startswith("access-20")
    assert aside[0].name != f"{OLD}.gz"
    assert gzip.decompress(aside[0].read_bytes()) == FULL
    assert "http log" not in server.stderr


def test_a_file_that_can_not_be_rotated_still_gets_the_lines(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "access.log").write_bytes(FULL)
    options = {"log_output": "log/access.log", "max_size": 1}
    with serving(tmp_path, {"mode": "production", "file_logger_options": options}) as server:
        folder.rename(tmp_path / "moved")  # the file to be renamed no longer exists
        urlopen(server.url).close()
    assert server.exit_code == 0
    assert b'"msg":"http log"' in (tmp_path / "moved" / "access.log").read_bytes()[len(FULL) :]


@pytest.mark.parametrize("mode", ["none", "OFF"])
def test_a_single_channel_can_be_switched_off(tmp_path: Path, mode: str) -> None:
    with serving(tmp_path, {"mode": mode}) as server:
        urlopen(server.url).close()
    assert '"logger":"http"' not in server.stderr
    assert '"logger":"server"' in server.stderr


def test_production_on_its_own_writes_debug_lines_and_in_a_channel_it_does_not(tmp_path: Path) -> None:
    with serving(tmp_path, {"mode": "production"}) as server:
        pass
    assert "http server was started" not in server.stderr  # debug, of the channel
    assert '"level":"debug"' in server.stderr


def test_an_empty_channel_is_no_channel(tmp_path: Path) -> None:
    with serving(tmp_path, {}) as server:
        pass
    assert '"logger":"http","msg":"http server was started"' in server.stderr
