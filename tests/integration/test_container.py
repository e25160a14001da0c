"""The container and service files of ``examples/``, as far as they run without Docker, a cluster or systemd."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.flags import parse
from pyroadrunner.config.durations import parse_duration
from support.load import Load
from support.php import require_php
from support.server import RR, Server, environment, free_port

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
DOCKER = EXAMPLES / "docker"
STOPPING_WORKERS = 10.0  # seconds a worker has to stop when asked


def seconds(text: str) -> float:
    return parse_duration(text)


def process_one() -> list[str]:
    """Runs a command as process 1 of a namespace of its own."""
    unshare = shutil.which("unshare")
    flags = ["--pid", "--fork", "--mount-proc"]
    if unshare is None or subprocess.run([unshare, *flags, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare is not here, or namespaces are not allowed")
    return [unshare, *flags]


def application(folder: Path) -> tuple[Path, int]:
    """The image's ``/app``, and its port."""
    require_php()
    app = folder / "app"
    shutil.copytree(DOCKER, app)
    port = free_port()
    text = (app / ".rr.yaml").read_text()
    for before, after in {
        "0.0.0.0:8080": f"127.0.0.1:{port}",
        "127.0.0.1:6001": f"127.0.0.1:{free_port()}",
        "0.0.0.0:2114": f"127.0.0.1:{free_port()}",
    }.items():
        assert before in text
        text = text.replace(before, after)
    (app / ".rr.yaml").write_text(text)
    return app, port


def test_it_serves_and_stops_in_order_as_process_1(tmp_path: Path) -> None:
    app, port = application(tmp_path)
    with Server(app, None, launcher=process_one(), env={"WORKERS": "3"}) as server:
        [one] = psutil.Process(server.pid).children()
        assert Path(f"/proc/{one.pid}/status").read_text().split("NSpid:")[1].split()[1] == "1"
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/").read() == b"Hello, container!\n"
        workers = one.children()
        assert len(workers) == 3  # WORKERS
        with Load(("127.0.0.1", port), threads=8) as load:
            load.wait_for_more(50)
            one.send_signal(signal.SIGTERM)  # docker stop
            assert server.wait() == 0
        assert [failure for failure in load.failures if "Refused" not in failure] == []
        assert psutil.wait_procs(workers, 10)[1] == []


def test_the_probe_of_the_image_fails_if_no_server_answers(tmp_path: Path) -> None:
    app, _ = application(tmp_path)
    port = yaml.safe_load((app / ".rr.yaml").read_text())["status"]["address"].rpartition(":")[2]
    [check] = re.findall(r'CMD \["php", "-r", "(.*)"\]', (DOCKER / "Dockerfile").read_text())
    probe = [require_php(), "-r", check.replace(":2114", f":{port}")]
    assert subprocess.run(probe, env=environment(), check=False).returncode == 1
    with Server(app, None):
        assert subprocess.run(probe, env=environment(), check=False).returncode == 0


def test_a_read_only_root_without_a_tmpfs_affects_only_uploads(tmp_path: Path) -> None:
    app, _ = application(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    # Makes Python find no writable folder, without a read-only root for the tests.
    (site / "sitecustomize.py").write_text("import tempfile\ntempfile._candidate_tempdir_list = lambda: []\n")
    with Server(app, None, env={"PYTHONPATH": str(site)}):
        pass


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, in order: its keyword and the rest, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r" *\\\n *", " ", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


def test_the_image_is_made_of_its_stages_and_of_the_folder_of_the_application() -> None:
    stages = [rest.split(" AS ") for word, rest in instructions() if word == "FROM"]
    assert [names[1:] for names in stages] == [["base"], ["rr"], []]
    assert [names[0] for names in stages] == ["php:8.3-cli-bookworm", "base", "base"]
    assert [rest for word, rest in instructions() if word == "COPY"] == ["--from=rr /opt/rr /opt/rr", ". /app"]
    ignored = (DOCKER / ".dockerignore").read_text().splitlines()
    assert not {".rr.yaml", "worker.php"} & set(ignored)
    assert {".env", ".git", "vendor"} <= set(ignored)


def test_every_run_of_the_dockerfile_is_a_command_of_the_shell() -> None:
    runs = [rest for word, rest in instructions() if word == "RUN"]
    assert len(runs) == 4
    for run in runs:
        done = subprocess.run(["sh", "-n"], input=run, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_image_starts_rr_itself_with_a_command_it_has() -> None:
    last = {word: rest for word, rest in instructions() if word in ("ENTRYPOINT", "CMD")}
    assert json.loads(last["ENTRYPOINT"]) == ["rr"]
    assert parse(json.loads(last["CMD"]), COMMANDS, SHARED).words == ("serve",)


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / "kubernetes" / "app.yaml").read_text()))


def test_stop_timeouts_cover_the_grace_period() -> None:
    grace = seconds(yaml.safe_load((DOCKER / ".rr.yaml").read_text())["endure"]["grace_period"])
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]["app"]
    assert seconds(compose["stop_grace_period"]) >= grace + STOPPING_WORKERS
    pod = manifests()[0]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [_, pause] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] >= float(pause) + grace + STOPPING_WORKERS
    assert container["livenessProbe"]["terminationGracePeriodSeconds"] > float(pause)  # which is a part of it
    unit = (EXAMPLES / "systemd" / "rr.service").read_text()
    [timeout] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert float(timeout) >= 30 + STOPPING_WORKERS  # the default of endure.grace_period


def test_ports_and_paths_of_the_manifests_fit_the_image() -> None:
    deployment, service = manifests()
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    config = yaml.safe_load((DOCKER / ".rr.yaml").read_text())
    ports = {port["name"]: f"0.0.0.0:{port['containerPort']}" for port in container["ports"]}
    assert ports == {section: config[section]["address"] for section in ("http", "status")}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/health", "port": "status"}
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("unit", ["rr.service", "rr.socket"])
def test_systemd_accepts_the_units(tmp_path: Path, unit: str) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    for name in ("rr.service", "rr.socket"):
        text = (EXAMPLES / "systemd" / name).read_text().replace("/opt/rr/bin/rr", str(RR))
        (tmp_path / name).write_text(text)
    done = subprocess.run([verify, "verify", str(tmp_path / unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("docker.md", "docker/Dockerfile"),
        ("docker.md", "docker/.rr.yaml"),
        ("kubernetes.md", "kubernetes/app.yaml"),
        ("systemd.md", "systemd/rr.service"),
        ("systemd.md", "systemd/rr.socket"),
    ],
)
def test_the_pages_show_the_files_that_are_shipped(page: str, file: str) -> None:
    shown = re.findall(r"^```\w+\n(.*?)^```", (ROOT / "docs" / "deploy" / page).read_text(), re.MULTILINE | re.DOTALL)
    assert (EXAMPLES / file).read_text() in shown
