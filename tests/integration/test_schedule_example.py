"""The example of the page on the schedule, as it is shipped."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from support.packages import EXAMPLES
from support.php import require_php
from support.redis import redis_server
from support.server import Server, free_port, rr


def test_each_entry_runs(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "schedule", tmp_path, dirs_exist_ok=True)
    config = yaml.safe_load((tmp_path / ".rr.yaml").read_text("utf-8"))
    config["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    config["http"]["address"] = f"127.0.0.1:{free_port()}"
    config["server"]["command"] = f"{require_php()} worker.php"
    with Server(tmp_path, config) as server:
        for entry in config["schedule"]["entries"]:
            done = rr("schedule", "run", entry, cwd=tmp_path)
            assert done.code == 0, done
        server.wait_for("report of 20")
        server.wait_for("deleting files that are older than 7 days")
        listed = rr("schedule", "list", cwd=tmp_path).stdout
        assert "30 2 * * * Europe/Berlin" in listed
        assert listed.count(" ok ") == 3
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{server.url}/cron/heartbeat", timeout=60)
        assert refused.value.code == 403
        refused.value.close()
        assert server.stop() == 0
    assert (tmp_path / "rr-schedule.db").exists()


def test_the_config_for_laravel_on_several_servers(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "schedule.md").read_text("utf-8")
    [text] = re.findall(r"^```yaml\n(schedule:\n  driver: redis\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    config = yaml.safe_load(text)
    (tmp_path / "artisan").write_text('<?php echo "ran $argv[1] of ", getenv("RR_SCHEDULE_ENTRY"), "\\n";')
    require_php()
    redis = tmp_path / "redis"
    redis.mkdir()
    with redis_server(redis) as redis_at:
        config["schedule"]["config"]["addrs"] = redis_at.address
        with Server(tmp_path, config) as server:
            assert rr("schedule", "run", "laravel", cwd=tmp_path).code == 0
            server.wait_for("ran schedule:run of laravel")
