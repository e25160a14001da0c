"""`rr serve --watch`: changed code is served, broken code is reported."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import yaml

from support.load import Load
from support.php import require_php
from support.server import Server

LIBRARY = Path(__file__).parents[2] / "php" / "autoload.php"


def code(text: str) -> str:
    return f"""<?php
require '{LIBRARY}';
PyRoadRunner\\Http\\Server::run(static fn () => {text});
"""


def server(folder: Path, *flags: str) -> Server:
    (folder / "worker.php").write_text(code("'first'"))
    config = {
        "server": {"command": [require_php(), "worker.php"]},
        "http": {"pool": {"num_workers": 1}},
        "logs": {"level": "info", "output": ["stderr"]},
    }
    return Server(folder, config, command=("serve", *flags))


def get(server: Server) -> str:
    with urlopen(server.url, timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def test_new_code_is_served_broken_code_is_reported_and_no_request_fails(tmp_path: Path) -> None:
    with server(tmp_path, "--watch") as running, Load(running.address, threads=2) as load:
        (tmp_path / "worker.php").write_text(code("'second'"))
        running.wait_for("[INFO] worker.php changed: new workers for http in ")
        assert get(running) == "second"
        (tmp_path / "worker.php").write_text("<?php this is not PHP;")
        running.wait_for("[ERROR] worker.php changed: new workers of http failed to start, the old ones keep running: ")
        assert "PHP Parse error" in running.stderr
        assert get(running) == "second"
        (tmp_path / "app.log").write_text("a line")  # is not worker code
        (tmp_path / "worker.php").write_text(code("'third'"))
        running.wait_for("[INFO] worker.php changed", times=2)
        assert get(running) == "third"
        assert load.failures == []
        assert running.stdout.count("changed") == 2


def test_a_changed_config_is_reloaded(tmp_path: Path) -> None:
    with server(tmp_path, "--watch") as running:
        running.config["http"]["pool"]["num_workers"] = 2
        (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(running.config))
        running.wait_for("the config was reloaded")
        assert "http.pool.num_workers" in running.stderr


def test_only_named_paths_are_watched(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with server(tmp_path, "--watch=src") as running:
        (tmp_path / "worker.php").write_text(code("'second'"))
        (tmp_path / "src" / "a.php").write_text("<?php")
        running.wait_for("src/a.php changed: new workers for http")
        assert "worker.php changed" not in running.stdout
