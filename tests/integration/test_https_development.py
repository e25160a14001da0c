"""`rr serve --https` and `rr trust`, with real clients and, in a namespace of its own, Debian's real store."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.php import require_php
from support.server import Server, environment, free_port, rr

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
PyRoadRunner\\Http\\Server::run(fn ($request) => $request->uri . "\\n");
"""


def curl(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    return subprocess.run(
        [program, "-sS", "--noproxy", "*", "--max-time", "60", *arguments], capture_output=True, text=True, check=False
    )


class Running:
    """A server with ``--https``: its folder of certificates and its ports."""

    def __init__(self, folder: Path) -> None:
        require_php()
        (folder / "worker.php").write_text(WORKER, encoding="utf-8")
        self.env = {"XDG_CONFIG_HOME": str(folder / "config")}
        self.authority = folder / "config" / "pyroadrunner" / "https" / "ca.crt"
        self.port, self.tls = free_port(), free_port()
        values = {
            "http.address": f"127.0.0.1:{self.port}",
            "http.ssl.address": f"localhost:{self.tls}",
            "rpc.listen": f"tcp://127.0.0.1:{free_port()}",
            "http.pool.num_workers": "1",
        }
        flags = [part for key, value in values.items() for part in ("-o", f"{key}={value}")]
        self.server = Server(folder, None, command=[*flags, "serve", "worker.php", "--https"], env=self.env)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("https"))
    with running.server:
        yield running


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_client_that_trusts_the_authority_is_served(running: Running, host: str) -> None:
    done = curl("--cacert", str(running.authority), f"https://{host}:{running.tls}/a?b=1")
    assert done.stdout == f"https://{host}:{running.tls}/a?b=1\n", done.stderr


def test_a_client_that_does_not_is_not(running: Running) -> None:
    done = curl(f"https://localhost:{running.tls}/")
    assert done.returncode == 60, done
    assert done.stdout == ""


def test_http_is_redirected(running: Running) -> None:
    done = curl("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"http://localhost:{running.port}/a?b=1")
    assert done.stdout == f"308 https://localhost:{running.tls}/a?b=1"


def test_it_says_where_it_serves_and_how_to_trust_it(running: Running) -> None:
    where = f"serving https://localhost:{running.tls} with a certificate of {running.authority}"
    running.server.wait_for(f"{where}; to trust it: rr trust install")
    assert rr("trust", "path", cwd=running.server.folder, env=running.env).stdout == f"{running.authority}\n"


def test_it_is_refused_on_a_network(tmp_path: Path) -> None:
    (tmp_path / "worker.php").write_text(WORKER, encoding="utf-8")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = rr("serve", "worker.php", "--https", "-o", "http.address=:8080", cwd=tmp_path, env=env)
    assert (done.code, "http.address = :8080 is open to a network" in done.stderr) == (1, True)
    assert not (tmp_path / "config").exists()


def test_without_an_authority_trust_says_how_to_make_one(tmp_path: Path) -> None:
    done = rr("trust", "install", cwd=tmp_path, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (done.code, "rr serve --https makes it" in done.stderr) == (1, True)


PRIVATE = """
set -e
mount -t tmpfs none /usr/local/share/ca-certificates
cp -a /etc/ssl/certs "$1/certs" && mount --bind "$1/certs" /etc/ssl/certs
"$2" trust install
curl -sS --noproxy '*' "$3"
"$2" trust install | head -1
"$2" trust uninstall | head -1
curl -sS --noproxy '*' "$3" || echo "curl ends with $?"
"""


def test_the_machine_trusts_it_after_install_and_not_after_uninstall(running: Running, tmp_path: Path) -> None:
    """In a namespace in which the store is a copy: the machine's own is not touched."""
    isolate = ["unshare", "--map-root-user", "--mount"]
    if shutil.which("update-ca-certificates", path="/usr/sbin") is None or shutil.which("unshare") is None:
        pytest.skip("update-ca-certificates or unshare is not installed")
    if subprocess.run([*isolate, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces with mounts are not allowed")
    arguments = [str(tmp_path), str(Path(sys.executable).parent / "rr"), f"https://localhost:{running.tls}/x"]
    done = subprocess.run(
        [*isolate, "sh", "-c", PRIVATE, "sh", *arguments],
        env=environment({**running.env, "SUDO_USER": "", "CURL_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    told = done.stdout.splitlines()
    assert told[0] == f"this machine trusts {running.authority} now (curl, PHP and most programs)"
    assert f"https://localhost:{running.tls}/x" in told
    assert f"this machine trusts {running.authority} already" in told
    assert "this machine does not trust it any more" in told
    assert told[-1] == "curl ends with 60"
