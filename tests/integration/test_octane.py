"""``rr`` as Laravel Octane starts it, calls it, reads its output and stops it, with a real Laravel application in the
workers."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from support import octane
from support.http import Client, request, split
from support.octane import Octane
from support.php import require_php, require_php_package
from support.pools import run
from support.server import RR, Server, environment, free_port

APPLICATION = Path(__file__).parent.parent / "support" / "apps" / "laravel"
WORKER = Path(__file__).parent.parent / "support" / "workers" / "octane.php"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder as ``octane:start`` expects it: without a config, so Octane creates an empty one."""
    require_php_package("Illuminate/autoload.php", "php-laravel-framework")
    folder = tmp_path / "app"
    shutil.copytree(APPLICATION, folder)
    (folder / ".rr.yaml").touch()
    return folder


@pytest.fixture
def start(app: Path) -> Octane:
    return Octane(app, [require_php(), str(WORKER)], free_port(), free_port(), workers=1)


def serving(start: Octane) -> Server:
    return Server(start.app, None, command=start.command, env=start.env)


def ask(start: Octane, raw: bytes) -> tuple[int, dict[str, list[str]], bytes]:
    async def main() -> bytes:
        client = Client(*await asyncio.open_connection("127.0.0.1", start.port))
        await client.send(raw)
        answer = await client.rest()
        client.close()
        return answer

    return split(run(main()))


def shown(server: Server, kind: str) -> list[object]:
    return [one.data for one in octane.stdout(server.stdout) if one.kind == kind]


def test_the_version_is_accepted_and_needs_no_config(start: Octane) -> None:
    (start.app / ".rr.yaml").unlink()
    (start.app / "rr").symlink_to(RR)
    assert start.accepts_version()


def test_a_complete_octane_session(start: Octane) -> None:
    with serving(start) as server:
        start.write_state(server.pid)
        assert start.is_running()
        # The workers get the environment, Laravel gets forms and files.
        told = json.loads(ask(start, request("GET", "/env"))[2])
        assert (told["env"], told["octane"]) == ("local", "1")
        form = (
            b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            b'--X\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nhello\r\n--X--\r\n'
        )
        status, _, body = ask(
            start, request("POST", "/form/x?q=1", form, content_type="multipart/form-data; boundary=X")
        )
        assert status == 200, body
        expected = {"name": "x", "input": {"a": "1", "q": "1"}, "url": "http://ex.com/form/x?q=1", "file": "hello"}
        assert json.loads(body) == expected
        # Octane prints requests, output of workers, exceptions of the application.
        assert ask(start, request("GET", "/say"))[2] == b"said"
        assert ask(start, request("GET", "/throw"))[0] == 500
        server.wait_for('"URI":"/throw"')
        requests = shown(server, "request")
        assert [(one["method"], one["status"], one["URI"]) for one in requests] == [  # type: ignore[index]
            ("GET", 200, "/env"),
            ("POST", 200, "/form/x?q=1"),
            ("GET", 200, "/say"),
            ("GET", 500, "/throw"),
        ]
        assert {type(one["elapsed"]) for one in requests} == {int}  # type: ignore[index]
        assert shown(server, "raw") == ["plain words"]
        [thrown] = shown(server, "throwable")
        assert (thrown["class"], thrown["message"]) == ("RuntimeException", "thrown in a route")  # type: ignore[index]
        assert isinstance(thrown["line"], int)  # type: ignore[index]
        # octane:reload
        pids = [told["pid"]]
        for version in (False, True):
            start.reload(version=version)
            pids.append(json.loads(ask(start, request("GET", "/env"))[2])["pid"])
        assert len(set(pids)) == 3
        # octane:stop: one SIGTERM to the pid of the state file
        workers = psutil.Process(start.pid()).children()
        os.kill(start.pid(), signal.SIGTERM)
        assert server.wait() == 0
        assert not start.is_running()
        assert psutil.wait_procs(workers, 10)[1] == []
    assert list(octane.stderr(server.stderr)) == []
    kinds = {one.kind for one in octane.stdout(server.stdout)}
    assert kinds == {"request", "raw", "throwable"}  # nothing else was printed: no output of our own


def test_files_of_public_are_served_without_a_worker(start: Octane) -> None:
    with serving(start) as server:
        status, headers, body = ask(start, request("GET", "/app.css"))
        assert (status, body) == (200, (APPLICATION / "public" / "app.css").read_bytes())
        assert headers["content-type"][0].startswith("text/css")
        assert ask(start, request("GET", "/env"))[0] == 200
        assert server.stop() == 0


def test_ctrl_c_reaches_all_processes_and_octanes_signal_follows(start: Octane) -> None:
    with serving(start) as server:
        ask(start, request("GET", "/env"))
        workers = psutil.Process(server.pid).children()
        os.killpg(server.pid, signal.SIGINT)
        server.send(signal.SIGTERM)
        assert server.wait() in (0, 1)
        assert psutil.wait_procs(workers, 10)[1] == []
    assert list(octane.stderr(server.stderr)) == []


def test_workers_end_by_themselves_when_octane_kills_the_server(start: Octane) -> None:
    with serving(start) as server:
        workers = psutil.Process(server.pid).children()
        assert workers
        server.send(signal.SIGKILL)
        server.wait()
        assert psutil.wait_procs(workers, 10)[1] == []


def test_an_exception_is_shown_after_text_without_a_line_break(start: Octane) -> None:
    with serving(start) as server:
        assert ask(start, request("GET", "/say-and-throw"))[0] == 500
        server.wait_for("thrown behind it")
        assert shown(server, "raw") == ["no line break"]
        [thrown] = shown(server, "throwable")
        assert thrown["message"] == "thrown behind it"  # type: ignore[index]


def test_a_worker_requests_a_shutdown_from_octane(start: Octane) -> None:
    with serving(start) as server:
        assert ask(start, request("GET", "/shutdown"))[2] == b"bye"
        server.wait_for("shutdown")
        assert shown(server, "shutdown") == [{"type": "shutdown"}]


def test_in_production_only_warnings_are_printed_and_requests_are_not(start: Octane) -> None:
    quiet = Octane(start.app, start.worker, start.port, start.rpc_port, workers=1, app_env="production")
    with serving(quiet) as server:
        assert ask(quiet, request("GET", "/env"))[0] == 200
        server.stop()
    assert list(octane.stdout(server.stdout)) == []
    assert list(octane.stderr(server.stderr)) == []


def test_workers_that_can_not_boot_end_the_start_with_code_1_and_their_output(start: Octane) -> None:
    env = {key: value for key, value in start.env.items() if key != "APP_BASE_PATH"}
    server = Server(start.app, None, command=start.command, env=env).start()
    try:
        assert server.wait() == 1  # Octane's exit code in this case
        errors = "\n".join(str(one.data) for one in octane.stderr(server.stderr))
        assert "Cannot find application base path." in errors
        assert "exit code 11" in errors
    finally:
        server.kill()


def test_a_reload_without_a_server_is_an_exception(start: Octane) -> None:
    with pytest.raises(AssertionError, match="connection refused"):
        start.reload()


def test_the_end_of_stdin_does_not_stop_the_server(start: Octane) -> None:
    """symfony/process gives the server a pipe and closes its end."""
    with subprocess.Popen(
        [str(RR), *start.command],
        cwd=start.app,
        env=environment(start.env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        while b"RoadRunner server started" not in process.stdout.readline():
            assert process.poll() is None
        assert ask(start, request("GET", "/env"))[0] == 200
        process.terminate()
        process.stdout.read()
        assert process.wait(30) == 0


# -- the reader itself: these tests show that those above can fail -----------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("[INFO] RoadRunner server started; version: 2025.1.11, buildtime: x", []),
        ("half of a li", ["info"]),
        ('{"level":"debug","logger":"server","msg":"worker is allocated","pool":"http","pid":1}', []),
        ('{"level":"info","logger":"server","msg":"words"}', ["raw"]),
        ('{"level":"info","logger":"server","msg":"{\\"type\\":\\"request\\"}"}', ["request"]),
        ('{"level":"info","logger":"http","msg":"http log","status":200}', []),
        ('{"level":"debug","logger":"rpc","msg":"plugin was started"}', []),
    ],
)
def test_the_reader_shows_the_same_as_octane(line: str, kinds: list[str]) -> None:
    assert [one.kind for one in octane.stdout(line + "\n")] == kinds


def test_the_reader_fails_where_octane_would() -> None:
    for line in ('{"level":"info","logger":"http"}', '{"level":"info","msg":"x"}', '{"logger":"http","msg":"x"}'):
        with pytest.raises(octane.UndefinedKey):
            list(octane.stdout(line))
