"""The plugin that docs/plugins.md shows, in a package of its own: installed, configured, served."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml

from pyroadrunner.sdk.rpc import RpcClient
from pyroadrunner.sdk.rpc.errors import CallFailed
from support.dashboard import TOKEN, Client
from support.metrics import scrape
from support.packages import EXAMPLES, installed
from support.php import require_php
from support.server import Server, free_port, rr

EXAMPLE = EXAMPLES / "plugin-spool"


@pytest.fixture(scope="module")
def site() -> Path:
    """A folder with the package, installed from its source by pip; nothing is fetched."""
    return installed(EXAMPLE)


@pytest.fixture
def server(tmp_path: Path, site: Path) -> Iterator[Server]:
    """The example's folder, on free ports."""
    require_php()
    shutil.copy(EXAMPLE / "worker.php", tmp_path)
    (tmp_path / "inbox").mkdir()
    config = yaml.safe_load((EXAMPLE / ".rr.yaml").read_text("utf-8"))
    config["rpc"]["listen"] = f"tcp://127.0.0.1:{free_port()}"
    config["metrics"]["address"] = f"127.0.0.1:{free_port()}"
    config["status"]["address"] = f"127.0.0.1:{free_port()}"
    config["dashboard"] = {"address": f"127.0.0.1:{free_port()}", "token": TOKEN}
    config["spool"]["interval"] = "20ms"
    with Server(tmp_path, config, env=environment(site)) as server:
        yield server
        assert server.stop() == 0


def environment(site: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(site)}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def probe(server: Server, path: str) -> int:
    try:
        with urlopen(f"http://{server.config['status']['address']}{path}", timeout=20) as answer:
            code: int = answer.status
            return code
    except HTTPError as error:
        return error.code


def call(server: Server, method: str, argument: Any) -> Any:
    with RpcClient(server.rpc) as client:
        return client.call(method, argument)


def test_its_method_is_called_over_rpc_and_answered_by_a_php_worker(server: Server) -> None:
    assert call(server, "spool.Run", "hello") == "HELLO"
    with pytest.raises(CallFailed, match="there is no text in it"):
        call(server, "spool.Run", " ")


def test_files_are_processed_and_counted(server: Server, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    (inbox / "empty.tmp").write_text("")
    (inbox / "empty.tmp").rename(inbox / "empty.txt")
    for number in range(5):
        (inbox / f"{number}.tmp").write_text(f"file {number}")
        (inbox / f"{number}.tmp").rename(inbox / f"{number}.txt")
    until(lambda: len(list(inbox.glob("*.out"))) == 5 and (inbox / "empty.failed").exists())
    until(lambda: sorted(path.suffix for path in inbox.iterdir()) == [".failed", *[".out"] * 5])
    assert (inbox / "3.out").read_text() == "FILE 3"
    samples = scrape(server.config["metrics"]["address"])
    assert samples['rr_spool_files_total{result="done"}'] == 5
    assert samples['rr_spool_files_total{result="failed"}'] == 1
    assert samples['rr_spool_pool_queue{pool="spool"}'] == 0


def test_its_workers_are_listed_reset_and_asked_for_their_health(server: Server, site: Path, tmp_path: Path) -> None:
    before = server.workers("spool")
    assert len(before) == 2
    assert (probe(server, "/health?plugin=spool"), probe(server, "/ready?plugin=spool")) == (200, 200)
    done = rr("reset", "spool", cwd=tmp_path, env=environment(site))
    assert done.code == 0, done
    after = server.wait_for_workers(2, "spool")
    assert not before & after
    assert call(server, "spool.Run", "again") == "AGAIN"


def test_a_changed_config_is_taken_over_without_a_restart(server: Server, site: Path, tmp_path: Path) -> None:
    before = server.workers("spool")
    changed = server.config | {"spool": server.config["spool"] | {"interval": "30ms", "pool": {"num_workers": 3}}}
    (tmp_path / ".rr.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
    done = rr("reload", "--json", cwd=tmp_path, env=environment(site))
    assert done.code == 0, done
    answer = json.loads(done.stdout)
    assert sorted(change["key"] for change in answer["applied"]) == ["spool.interval", "spool.pool.num_workers"]
    assert before < server.wait_for_workers(3, "spool")


def test_its_section_is_checked_without_a_start(site: Path, tmp_path: Path) -> None:
    text = (EXAMPLE / ".rr.yaml").read_text("utf-8")
    (tmp_path / ".rr.yaml").write_text(text, encoding="utf-8")
    assert rr("config", "check", cwd=tmp_path, env=environment(site)).code == 0
    wrong = text.replace("interval: 500ms", "intervall: 500ms").replace("num_workers: 2", "num_workers: 501")
    (tmp_path / ".rr.yaml").write_text(wrong, encoding="utf-8")
    done = rr("config", "check", cwd=tmp_path, env=environment(site))
    assert done.code == 1
    assert "spool.intervall" in done.stdout + done.stderr
    assert "spool.pool.num_workers" in done.stdout + done.stderr


def test_a_missing_folder_is_refused_in_its_words(site: Path, tmp_path: Path) -> None:
    config = {"server": {"command": "php worker.php"}, "spool": {"folder": "nowhere"}}
    server = Server(tmp_path, config, env=environment(site)).start()
    try:
        assert server.wait() == 1
    finally:
        server.kill()
    assert "spool: spool.folder: there is no folder nowhere" in server.stderr


def test_a_failed_file_is_on_the_page_of_the_dashboard_and_is_retried_there(server: Server) -> None:
    inbox = server.folder / "inbox"
    (inbox / "empty.txt").write_text(" ")
    until((inbox / "empty.failed").exists)
    client = Client(server).sign_in()
    assert ("spool/files", "Spool") in [(entry["id"], entry["title"]) for entry in client.get("/api/session")["menu"]]
    figures, table = client.page("spool/files")["blocks"]
    assert {"label": "Failed", "value": 1, "kind": "number"} in figures["figures"]
    [row] = table["rows"]
    assert (row["id"], row["cells"], row["details"]) == ("empty.failed", {"file": "empty", "size": 1}, {"Text": " "})
    assert client.act("spool/files", "retry", "empty.failed") == "empty is processed again."
    until((inbox / "empty.failed").exists)
    for action, name in (("retry", "../.rr.yaml"), ("retry", "none.failed"), ("delete", "empty.failed")):
        request = {"page": "spool/files", "action": action, "row": name}
        assert client.send("POST", "/api/action", request)[0] == 409
