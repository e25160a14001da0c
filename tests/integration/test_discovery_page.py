"""What docs/discovery.md shows runs as it is shown, but for the ports."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import yaml

from pyroadrunner.version import __version__
from support.brokers import Brokers
from support.consul import shared_consul
from support.discovery import until
from support.etcd import shared_etcd
from support.ports import free_port, kept_port
from support.programs import require, running_program
from support.server import Server, rr

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/discovery"
SECRET = "0123456789abcdef0123456789abcdef"


def shown(*words: str) -> str:
    """The block of the page with these words."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/discovery.md").read_text("utf-8"), re.M | re.S)
    [found] = [block for block in blocks if all(word in block for word in words)]
    return str(found)


def start(stack: ExitStack, folder: Path, text: str, rpc: int, *overrides: str) -> Server:
    folder.mkdir(parents=True)
    shutil.copy(EXAMPLE / "worker.php", folder)
    given = [f"rpc.listen=tcp://127.0.0.1:{rpc}", "discovery.host=127.0.0.1", "discovery.refresh=200ms"]
    command = ["serve", *(f"-o={one}" for one in (*given, "discovery.ttl=3s", *overrides))]
    env = {"DISCOVERY_SECRET": SECRET, "CONSUL_TOKEN": ""}
    return stack.enter_context(Server(folder, text, command=command, env=env))


def listed(folder: Path, rpc: int) -> list[str]:
    """``rr cluster --json``: the ids, in order."""
    done = rr("cluster", "--json", f"-o=rpc.listen=tcp://127.0.0.1:{rpc}", cwd=folder)
    return [one["id"] for one in json.loads(done.stdout)["servers"]]


def test_the_example_and_its_prometheus(tmp_path: Path, brokers: Brokers) -> None:
    etcd = f"127.0.0.1:{brokers.use('etcd', shared_etcd)['port']}"
    text = (EXAMPLE / ".rr.yaml").read_text("utf-8").replace("127.0.0.1:2379", etcd)
    ports = {name: (kept_port(), kept_port(), kept_port()) for name in ("web-1", "web-2")}
    servers = {}
    with ExitStack() as stack:
        for name, (rpc, http, metrics) in ports.items():
            addresses = (f"http.address=0.0.0.0:{http}", f"metrics.address=0.0.0.0:{metrics}")
            servers[name] = start(stack, tmp_path / name, text, rpc, f"discovery.id={name}", *addresses)
            assert urlopen(f"http://127.0.0.1:{http}/", timeout=30).read() == b"Hello, world!\n"
        rpc, _, metrics = ports["web-1"]
        until(lambda: listed(tmp_path / "web-1", rpc), lambda found: found == ["web-1", "web-2"])
        done = rr("cluster", "reset", "http", f"-o=rpc.listen=tcp://127.0.0.1:{rpc}", cwd=tmp_path / "web-1")
        assert done.stdout == "web-1  done  reset: http\nweb-2  done  reset: http\n"

        config = (EXAMPLE / "prometheus.yml").read_text("utf-8").replace("127.0.0.1:2112", f"127.0.0.1:{metrics}")
        config = config.replace("refresh_interval: 10s", "refresh_interval: 1s")
        targets = prometheus(stack, tmp_path, config)
        until(targets, lambda found: found == {"web-1": __version__, "web-2": __version__})
        servers["web-2"].kill()
        until(targets, lambda found: found == {"web-1": __version__})


def prometheus(stack: ExitStack, folder: Path, config: str) -> Callable[[], dict[str, str]]:
    """Starts Prometheus; returns a function that gets its targets with their versions."""
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    port = free_port()
    command = [
        require("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    program = stack.enter_context(running_program(command, folder / "prometheus.log"))

    def targets() -> dict[str, str]:
        assert not program.ended, program.log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=30) as response:
                active = json.load(response)["data"]["activeTargets"]
                return {target["labels"]["rr_server"]: target["labels"]["version"] for target in active}
        except OSError:
            return {}

    return targets


def test_the_config_for_consul(tmp_path: Path, brokers: Brokers) -> None:
    consul = f"127.0.0.1:{brokers.use('consul', shared_consul)['port']}"
    text = shown("driver: consul").replace("127.0.0.1:8500", consul)
    rpc = kept_port()
    overrides = (f"metrics.address=0.0.0.0:{kept_port()}", "discovery.id=web-1", "discovery.name=shown")
    with ExitStack() as stack:
        start(stack, tmp_path / "a", text, rpc, *overrides)
        until(lambda: listed(tmp_path / "a", rpc), lambda found: found == ["web-1"])


def test_the_file_of_servers(tmp_path: Path) -> None:
    servers = shown("servers:", "id: web-1")
    assert yaml.safe_load(servers)
    rpc = kept_port()
    (tmp_path / "servers.yaml").write_text(servers, encoding="utf-8")
    path = f"discovery.registry.path={tmp_path / 'servers.yaml'}"
    with ExitStack() as stack:
        text = shown("driver: file")
        start(stack, tmp_path / "a", text, rpc, path, f"metrics.address=127.0.0.1:{kept_port()}")
        until(lambda: listed(tmp_path / "a", rpc), lambda found: found == ["web-1", "web-2"])
