"""Each line of the page on troubleshooting is made again, by the fault it stands for."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from support.first_steps import own_network
from support.php import require_php
from support.server import RR, Server, environment, free_port, rr

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
WORKER = ROOT / "tests" / "support" / "workers" / "troubles.php"
Line = dict[str, Any]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[Line]:
    """JSON objects, one behind the other."""
    found: list[Line] = []
    decoder, place = json.JSONDecoder(), 0
    while place < len(text):
        line, place = decoder.raw_decode(text, place)
        found.append(line)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def alike(text: str) -> str:
    """Without what is another one in each run: numbers."""
    return re.sub(r"\d+", "0", text)


SHOWN_LINES = [line for block in blocks("json") for line in lines(block)]
SHOWN_TEXTS = blocks("text")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """What a server writes whose application has all the troubles."""
    require_php()
    folder = tmp_path_factory.mktemp("troubles")
    shutil.copy(WORKER, folder / "worker.php")
    pools = {
        "/endless": {"supervisor": {"exec_ttl": "1s"}},
        "/import": {"max_queue_size": 1},
        "/reports/*": {"allocate_timeout": "2s"},
    }
    config = {
        "server": {"command": "php -d memory_limit=64M worker.php"},
        "http": {
            "max_request_size": 1,
            "forms": {"max_fields": 3, "max_depth": 3, "max_files": 1},
            "slow_request": "1s",
            "pool": {"num_workers": 1},
            "routes": [{"match": path, "pool": pool} for path, pool in pools.items()],
        },
        "logs": {"mode": "production", "level": "debug"},
    }
    with Server(folder, config) as server:
        for path in ("throw", "exit", "print", "memory", "cpu", "segfault", "oom", "endless"):
            assert ask(server, f"/{path}") == 500
        assert ask(server, "/", bytes(2 << 20)) == 413
        assert ask(server, "/", b"a=1&b=2&c=3&d=4") == 413
        assert ask(server, "/", two_files(), "multipart/form-data; boundary=b") == 413
        assert ask(server, "/", b"a[b][c][d]=1") == 400
        with ThreadPoolExecutor() as clients:
            for path in ("/import", "/reports/all"):
                first = [clients.submit(ask, server, path) for _ in range(2)]
                assert sorted(answer.result() for answer in first) == [200, 503]
        text = server.stderr
    text += of_a_small_pool(tmp_path_factory.mktemp("small"))
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def of_a_small_pool(folder: Path) -> str:
    """What is written of a worker that grows, and of a reset with code that does not boot."""
    shutil.copy(WORKER, folder / "worker.php")
    pool = {"num_workers": 1, "supervisor": {"watch_tick": "1s", "max_worker_memory": 64}}
    config = {
        "server": {"command": "php worker.php"},
        "http": {"pool": pool},
        "logs": {"mode": "production", "level": "debug"},
    }
    with Server(folder, config) as server:
        assert ask(server, "/leak") == 200
        server.wait_for("worker has reached a limit")
        (folder / "worker.php").write_text("<?php nope(\n")
        assert rr("reset", cwd=folder).code == 1
        server.wait_for("reset failed")
        return server.stderr


def two_files() -> bytes:
    part = '--b\r\nContent-Disposition: form-data; name="{0}"; filename="{0}.txt"\r\n\r\n{0}\r\n'
    return "".join([part.format("a"), part.format("b"), "--b--\r\n"]).encode()


def ask(
    server: Server, path: str, body: bytes | None = None, content_type: str = "application/x-www-form-urlencoded"
) -> int:
    """The status."""
    try:
        with urlopen(Request(server.url + path, body, {"Content-Type": content_type}), timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def same(shown: object, real: object, folder: str = "/srv/app") -> bool:
    """Texts but for numbers and the folder of the application; other values as they are."""
    if isinstance(shown, str) and isinstance(real, str):
        return alike(shown) == alike(re.sub(r"/\S*(?=/worker\.php)", folder, real))
    return shown == real


@pytest.mark.parametrize("shown", SHOWN_LINES, ids=lambda line: f"{line['msg']}: {line.get('error', line.get('hint'))}")
def test_a_log_line_of_the_page_is_written(logged: list[Line], shown: Line) -> None:
    near = [line for line in logged if line["msg"] == shown["msg"]]
    assert [line for line in near if all(same(value, line.get(key)) for key, value in shown.items())], near


# -- a server that does not start -----------------------------------------------------------------------------------

SCRIPTS = {
    "boot.php": "<?php throw new RuntimeException('no database');\n",
    "page.php": "<?php echo '<h1>Welcome</h1>';\n",
    "slow.php": "<?php sleep(30);\n",
}


def failures(folder: Path) -> Iterator[str]:
    """What ``rr serve`` prints, one fault after the other."""
    for name, text in SCRIPTS.items():
        (folder / name).write_text(text)
    for command in ("php nope.php", "phpp worker.php", *(f"php {name}" for name in SCRIPTS)):
        yield start(folder, command, pool={"allocate_timeout": "2s"})
    yield start(folder, "php worker.php", address="unix:///run/nope/http.sock")
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield start(folder, "php worker.php", address=f"127.0.0.1:{other.getsockname()[1]}")
    if launcher := without_rights():
        yield start(folder, "php worker.php", address="127.0.0.1:80", launcher=launcher)
    yield rr("workers", "-o", f"rpc.listen=tcp://127.0.0.1:{free_port()}", cwd=folder).stderr
    (folder / ".rr.yaml").write_text('version: "3"\nserver: {comand: php worker.php}\nhttp: {address: 127.0.0.1:0}\n')
    yield rr("serve", cwd=folder).stderr


def start(
    folder: Path,
    command: str,
    address: str = "127.0.0.1:0",
    pool: dict[str, Any] | None = None,
    launcher: Sequence[str] = (),
) -> str:
    """What is printed by a server that ends at once."""
    http = {"address": address, "pool": {"num_workers": 1, **(pool or {})}}
    config = {"version": "3", "server": {"command": command}, "http": http}
    (folder / ".rr.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [*launcher, str(RR), "serve"], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.replace(str(folder), "/srv/app")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    require_php()
    return alike("".join(failures(tmp_path_factory.mktemp("failures"))))


def without_rights() -> list[str]:
    """Runs a command that may not listen on ports below 1024; empty where that is not possible."""
    if shutil.which("setpriv") is None or not (launcher := own_network()):
        return []
    return [*launcher, "setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]


@pytest.mark.parametrize("shown", SHOWN_TEXTS)
def test_what_a_command_prints_is_what_the_page_shows(printed: str, shown: str) -> None:
    if "below 1024" in shown and not without_rights():
        pytest.skip("unshare or setpriv is not here, or namespaces are not allowed")
    assert alike(shown) in printed


def test_no_block_of_the_page_is_left_out() -> None:
    assert len(SHOWN_LINES) > 15
    assert len(SHOWN_TEXTS) > 9
