"""The real `rr serve`: start, signals, stop, exit codes."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from support.fake_package import install_fake
from support.php import require_php
from support.server import READY, Server, rr

STARTED = "[INFO] RoadRunner server started; version: 2025.1.11, buildtime: "
STOPPING = "stop signal received, grace timeout is: 30 seconds\n"
JSON_LOGS = {"mode": "production", "output": "stderr"}


def fake(folder: Path, mood: str = "", **flags: object) -> Server:
    """A server with the fake plugin in a given mode; its log is JSON on stderr."""
    return Server(folder, {"logs": JSON_LOGS, "fake": {"mood": mood}}, env=install_fake(folder), **flags)  # type: ignore[arg-type]


def log_of(server: Server) -> list[tuple[str, str, str]]:
    """Level, channel and message of each line, without those of `rpc` and of debug level."""
    lines = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [(line["level"], line["logger"], line["msg"]) for line in lines if line["level"] != "debug"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT])
def test_version_alone_is_a_config_and_each_stop_signal_ends_it_in_order(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Server(tmp_path, 'version: "3"\n') as server:
        assert server.stop(number) == 0
    started, stopping = server.stdout.splitlines(keepends=True)
    assert started.startswith(STARTED)
    assert stopping == STOPPING
    assert server.stderr == ""


def test_silent_prints_nothing(tmp_path: Path) -> None:
    with fake(tmp_path, command=("-s", "serve"), ready="fake starts") as server:
        server.stop()
    assert server.stdout == ""


def test_a_second_signal_ends_it_immediately(tmp_path: Path) -> None:
    with fake(tmp_path, "hang_stop", command=("serve", "-p")) as server:
        server.send(signal.SIGTERM)
        server.wait_for("fake stops")
        assert server.stop(signal.SIGINT) == 1
    assert server.stdout.endswith(STOPPING + "exit forced\n")
    assert not (tmp_path / ".pid").exists()


def test_a_signal_during_the_start_is_a_graceful_stop(tmp_path: Path) -> None:
    with fake(tmp_path, "hang_start", ready="fake starts") as server:
        assert server.stop() == 0
    assert READY not in server.stdout


def test_a_refused_start_prints_the_reason_and_exits_1(tmp_path: Path) -> None:
    server = fake(tmp_path, "refuse").start()
    assert server.wait() == 1
    server.kill()
    assert server.stderr.endswith("error: fake: the fake refuses\n")
    assert "Traceback" not in server.stderr
    assert READY not in server.stdout


@pytest.mark.parametrize(("mood", "error"), [("crash", "a bug in start"), ("crash_run", "a bug in run")])
def test_a_bug_is_shown_with_its_traceback_and_exits_1(tmp_path: Path, mood: str, error: str) -> None:
    server = fake(tmp_path, mood).start()
    assert server.wait() == 1
    server.kill()
    assert "Traceback" in server.stderr
    assert error in server.stderr
    assert "please report it" in server.stderr


def test_a_plugin_that_fails_later_stops_everything_in_order_and_exits_1(tmp_path: Path) -> None:
    server = fake(tmp_path, "fail_run").start()
    assert server.wait() == 1
    server.kill()
    assert log_of(server)[-1] == ("info", "fake", "fake stops")
    assert server.stderr.endswith("error: fake: the fake fails later\n")


def test_a_plugin_that_can_not_stop_is_logged_and_exits_1(tmp_path: Path) -> None:
    with fake(tmp_path, "fail_stop") as server:
        assert server.stop() == 1
    assert ("error", "endure", "plugin did not stop cleanly") in log_of(server)
    assert server.stderr.endswith("error: fake: did not stop cleanly: ValueError: the fake can't stop\n")


def test_plugins_get_the_grace_of_the_config(tmp_path: Path) -> None:
    config = {"logs": JSON_LOGS, "fake": {}, "endure": {"grace_period": "7s"}}
    with Server(tmp_path, config, env=install_fake(tmp_path)) as server:
        server.stop()
    assert "grace timeout is: 7 seconds" in server.stdout
    assert '"msg":"fake stops","whole_grace":7}' in server.stderr


def test_hangup_and_usr1_do_not_end_it(tmp_path: Path) -> None:
    with fake(tmp_path) as server:
        server.send(signal.SIGUSR1)
        server.send(signal.SIGHUP)
        server.wait_for("the config was reloaded")
        assert server.stop() == 0


def test_usr2_restarts_it_as_the_same_process_with_the_current_config(tmp_path: Path) -> None:
    """No plugin here has connections, so the restart does not wait for any."""
    folder = tmp_path / "app"
    folder.mkdir()
    config = {"fake": {}, "endure": {"retirement": "300s"}}
    with Server(folder, config, command=("-w", ".", "serve"), env=install_fake(tmp_path)) as server:
        before = server.pid
        changed = 'version: "3"\nlogs: {mode: none}\nendure: {grace_period: 3s, retirement: 300s}\n'
        (folder / ".rr.yaml").write_text(changed)
        server.send(signal.SIGUSR2)
        server.wait_for(READY, times=2)
        assert server.pid == before
        assert server.stop() == 0
    assert "restart signal [SIGUSR2] received\n" in server.stdout
    assert "grace timeout is: 3 seconds" in server.stdout


def test_the_pid_file_exists_while_it_runs_and_stop_finds_it(tmp_path: Path) -> None:
    with Server(tmp_path, 'version: "3"\n', command=("-p", "serve")) as server:
        assert (tmp_path / ".pid").read_text() == str(server.pid)
        stopped = rr("stop", cwd=tmp_path)
        assert stopped.code == 0
        assert stopped.stdout == ""
        assert f" stopping process with PID: {server.pid}\n" in stopped.stderr
        assert server.wait() == 0
    assert not (tmp_path / ".pid").exists()
    again = rr("stop", "-s", cwd=tmp_path)
    assert again.code == 1
    assert again.stderr.startswith("open .pid: no such file or directory, to create a .pid file")


def test_stop_with_force_ends_a_hanging_server(tmp_path: Path) -> None:
    with fake(tmp_path, "hang_stop", command=("-p", "serve")) as server:
        assert rr("stop", "-f", "-s", cwd=tmp_path).stderr == ""
        assert server.wait() == 1
    assert server.stdout.endswith("exit forced\n")


def test_a_stale_pid_file_is_reported(tmp_path: Path) -> None:
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    (tmp_path / ".pid").write_text(str(gone))
    stopped = rr("stop", "-s", cwd=tmp_path)
    assert stopped.code == 1
    assert "is a leftover" in stopped.stderr


def test_all_config_errors_are_reported_together_with_unknown_keys(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").write_text(
        'version: "3"\nlogs:\n  encoding: zzz\n  level: info\nendure: {grace_period: "60"}\nserver: {comand: php}\n'
    )
    served = rr("serve", cwd=tmp_path)
    assert served.code == 1
    assert served.stdout == ""
    assert [line.split(": ")[:2] for line in served.stderr.splitlines()] == [
        [".rr.yaml:3", "logs.encoding"],
        [".rr.yaml:5", "endure.grace_period"],
        [".rr.yaml:6", "server.command"],
        ["warning", ".rr.yaml:6"],
    ]
    assert served.stderr.endswith("server.comand: unknown key; did you mean `command`?\n")


def test_an_unknown_key_is_a_warning_with_its_line(tmp_path: Path) -> None:
    with Server(tmp_path, 'version: "3"\nlogs: {mode: production}\nendure:\n  grace: 1s\n') as server:
        pass
    assert [entry[:2] for entry in log_of(server)] == [("warn", "config")]
    assert log_of(server)[0][2].startswith(".rr.yaml:4: endure.grace: unknown key")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("serve",), "/.rr.yaml: no such file or directory"),
        (("serve", "-c", "no/such.yaml"), "no such file or directory"),
        (("serve", "-w", "nowhere"), "chdir nowhere: no such file or directory"),
        (("serve", "worker.php"), "open worker.php: no such file"),
        (("serve", "--watch", "."), "to watch it: rr serve --watch=."),
    ],
)
def test_missing_files_are_reported(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    served = rr(*arguments, cwd=tmp_path)
    assert served.code == 1
    assert text in served.stderr
    assert "Traceback" not in served.stderr


def test_warnings_of_python_are_log_lines(tmp_path: Path) -> None:
    with fake(tmp_path, "warn") as server:
        pass
    assert all(line.startswith("{") for line in server.stderr.splitlines())
    assert any(channel == "py.warnings" and "is odd" in message for _, channel, message in log_of(server))


def test_the_graph_is_printed(tmp_path: Path) -> None:
    with Server(tmp_path, 'version: "3"\nendure: {print_graph: true}\n') as server:
        pass
    assert server.stdout.startswith("digraph endure {\n")
    assert '"logs";' in server.stdout


def test_systemd_is_notified_about_ready_alive_and_stopping(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address)
        systemd.settimeout(30)
        config = 'version: "3"\nendure: {watchdog_sec: 1}\n'
        with Server(tmp_path, config, env={"NOTIFY_SOCKET": address}) as server:
            server.wait_for("watchdog enabled")
            heard = [systemd.recv(100) for _ in range(3)]
        rest = b""
        while rest != b"STOPPING=1":
            rest = systemd.recv(100)
    assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert "[INFO] sdnotify: notified\n[INFO] sdnotify: watchdog enabled, timeout: 1 seconds\n" in server.stdout


def test_octanes_flags_make_a_config_of_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").touch()
    flags = (
        f"-c {tmp_path}/.rr.yaml -o version=3 -o http.address=127.0.0.1:8000"
        " -o server.command=/usr/bin/php,/app/vendor/bin/roadrunner-worker -o http.pool.num_workers=0"
        " -o http.pool.max_jobs=500 -o rpc.listen=tcp://127.0.0.1:6001 -o http.pool.supervisor.exec_ttl=30s"
        f" -o http.static.dir={tmp_path} -o http.middleware=static -o logs.mode=production -o logs.level=warn"
        " -o logs.output=stdout -o logs.encoding=json"
    )
    checked = rr(*flags.split(" "), "config", "check", cwd=tmp_path)
    assert checked.code == 0, checked


def test_octanes_log_lines_are_complete_json_on_stdout(tmp_path: Path) -> None:
    (tmp_path / ".rr.yaml").touch()
    flags = "-o version=3 -o logs.mode=production -o logs.level=debug -o logs.output=stdout -o logs.encoding=json"
    env = install_fake(tmp_path)
    with Server(tmp_path, None, command=(*flags.split(" "), "-o", "fake.mood=warn", "serve"), env=env) as server:
        pass
    assert server.stderr == ""
    lines = [line for line in server.stdout.splitlines() if not line.startswith(("[INFO] ", "stop signal received"))]
    assert len(lines) >= 3
    for line in lines:
        assert {"level", "ts", "logger", "msg"} <= set(json.loads(line))


def test_nothing_is_imported_that_the_config_does_not_ask_for(tmp_path: Path) -> None:
    """It would cost start time and memory."""
    command = f"php {Path(__file__).parents[1] / 'support/workers/http.php'}"
    config = {"server": {"command": command}, "http": {"pool": {"num_workers": 1}}}
    with Server(tmp_path, config, env={"PYTHONPROFILEIMPORTTIME": "1"}) as server:
        server.stop()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in server.stderr.splitlines()}
    assert {"pyroadrunner", "h2corn"} <= imported
    assert not imported & {
        *("acme", "aioquic", "boltdb", "brotli", "cryptography", "google", "jsonschema", "psutil", "redis", "uvicorn"),
        *("watchfiles", "zstandard", "opentelemetry", "prometheus_client"),
    }


def test_no_file_of_the_server_is_world_writable_under_an_umask_of_0(tmp_path: Path) -> None:
    worker = Path(__file__).parents[1] / "support" / "workers" / "http.php"
    config = {
        "server": {"command": [require_php(), str(worker)], "relay": f"unix://{tmp_path}/relay.sock"},
        "http": {
            "address": f"unix://{tmp_path}/http.sock",
            "fcgi": {"address": f"unix://{tmp_path}/fcgi.sock"},
            "pool": {"num_workers": 1},
        },
        "rpc": {"listen": f"unix://{tmp_path}/rpc.sock"},
        "status": {"address": f"unix://{tmp_path}/status.sock"},
        "metrics": {"address": f"unix://{tmp_path}/metrics.sock"},
        "fileserver": {
            "address": f"unix://{tmp_path}/files.sock",
            "serve": [{"prefix": "/", "root": str(tmp_path)}],
        },
    }
    without_umask = ("sh", "-c", 'umask 0; exec "$@"', "sh")
    with Server(tmp_path, config, command=("serve", "-p"), launcher=without_umask):
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if not path.is_file()}
        modes[".pid"] = (tmp_path / ".pid").stat().st_mode & 0o777
    private, group = 0o600, 0o660
    assert modes == {
        ".pid": 0o644,
        "relay.sock": private,
        "rpc.sock": private,
        "status.sock": private,
        "metrics.sock": private,
        "http.sock": group,
        "fcgi.sock": group,
        "files.sock": group,
    }


def test_the_mode_of_the_sockets_of_http_can_be_set(tmp_path: Path) -> None:
    worker = Path(__file__).parents[1] / "support" / "workers" / "http.php"
    config = {
        "server": {"command": [require_php(), str(worker)]},
        "http": {"address": f"unix://{tmp_path}/http.sock", "socket_mode": 0o666, "pool": {"num_workers": 1}},
    }
    with Server(tmp_path, config):
        assert (tmp_path / "http.sock").stat().st_mode & 0o777 == 0o666
