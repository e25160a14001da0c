"""What only the real file can show. ``scripts/onefile-check.sh`` sets the variables and prints the figures."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from support import server as support_server
from support.server import Server

FULL, LIGHT, BARE = (Path(os.environ[f"ONEFILE_{name}"]) for name in ("FULL", "LIGHT", "BARE"))
ROOT = Path(__file__).parents[3]
MEGABYTE = 1_000_000
GLIBC = (2, 28)


@pytest.fixture(params=[LIGHT, FULL], ids=["light", "full"])
def file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Each variant, as a copy that a test may replace."""
    copy = tmp_path / "rr"
    shutil.copy(request.param, copy)
    monkeypatch.setenv("RR_UNPACK", str(tmp_path / "place"))
    monkeypatch.setattr(support_server, "RR", copy)
    return copy


def home(tmp_path: Path) -> Path:
    return next(path for path in (tmp_path / "place").iterdir() if path.is_dir())


def python(tmp_path: Path, *arguments: str, **env: str) -> str:
    """Run the unpacked interpreter."""
    command = [str(home(tmp_path) / "bin" / "rr"), *arguments]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ms(command: list[str], rounds: int = 10, *, before: object = None) -> float:
    """The median of the time that a command takes, in milliseconds."""
    times = []
    for _ in range(rounds):
        if callable(before):
            before()
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times)


def test_size(file: Path) -> None:
    size = file.stat().st_size / MEGABYTE
    print(f"{size:.1f} MB")
    assert size < 60


def test_start(file: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    first = ms([str(file), "--version"], before=lambda: shutil.rmtree(place, ignore_errors=True))
    warm = ms([str(file), "--version"], 20)
    disk = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / MEGABYTE
    files = sum(1 for path in place.rglob("*") if path.is_file())
    print(f"first start {first:.0f} ms, later {warm:.0f} ms; {files} files, {disk:.0f} MB")


def test_serving(file: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "hello-php" / "worker.php", tmp_path)
    subprocess.run([file, "--version"], check=True, stdout=subprocess.DEVNULL)
    config = {"server": {"command": "php worker.php"}, "http": {"pool": {"num_workers": 1}}, "logs": {"level": "error"}}
    times = []
    for _ in range(5):
        running = Server(tmp_path, config)
        begun = time.perf_counter()
        running.start()
        while True:
            try:
                urlopen(running.url).read()
                break
            except OSError:
                time.sleep(0.002)
        times.append((time.perf_counter() - begun) * 1000)
        memory = psutil.Process(running.pid).memory_full_info()
        [worker] = running.workers()
        processes = {child.pid for child in psutil.Process(running.pid).children(recursive=True)} - {worker}
        assert not processes
        assert running.stop() == 0
        running.kill()
    print(
        f"first answer {statistics.median(times):.0f} ms;"
        f" RSS {memory.rss / 2**20:.1f} MiB, PSS {memory.pss / 2**20:.1f} MiB"
    )


def test_the_replaced_file_takes_over(file: Path, tmp_path: Path) -> None:
    """SIGUSR2 with another file under the same name: the same process then runs the other one."""
    shutil.copy(ROOT / "examples" / "hello-php" / "worker.php", tmp_path)
    config = {"server": {"command": "php worker.php"}, "http": {"pool": {"num_workers": 1}}}
    with Server(tmp_path, config) as running:
        before = Path(f"/proc/{running.pid}/exe").resolve()
        new = tmp_path / "new"
        shutil.copy(FULL if file.stat().st_size == LIGHT.stat().st_size else LIGHT, new)
        new.replace(file)
        running.send(signal.SIGUSR2)
        running.wait_for(support_server.READY, times=2)
        after = Path(f"/proc/{running.pid}/exe").resolve()
        assert urlopen(running.url).status == 200
        assert before != after
        assert "RR_ONEFILE" not in worker_environment(running)


def worker_environment(running: Server) -> dict[str, str]:
    [worker] = running.wait_for_workers(1)
    return psutil.Process(worker).environ()


def test_a_worker_in_python(file: Path, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "mine.py").write_text("TEXT = 'of a library'")
    shutil.copy(ROOT / "examples" / "python" / "worker.py", tmp_path / "worker.py")
    port = support_server.free_port()
    flags = ["-o", f"http.address=127.0.0.1:{port}", "-o", f"rpc.listen=tcp://127.0.0.1:{support_server.free_port()}"]
    with Server(tmp_path, None, command=("serve", "worker.py", *flags)):
        assert urlopen(f"http://127.0.0.1:{port}/").status == 200
    assert (
        python(tmp_path, "-c", "import mine; print(mine.TEXT)", PYTHONPATH=str(tmp_path / "library"))
        == "of a library\n"
    )


def test_as_process_one(file: Path, tmp_path: Path) -> None:
    """In a process namespace of its own, as in a container: serves, survives SIGUSR2, ends in order."""
    shutil.copy(ROOT / "examples" / "hello-php" / "worker.php", tmp_path)
    config = {"server": {"command": "php worker.php"}, "http": {"pool": {"num_workers": 1}}}
    launcher = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with Server(tmp_path, config, launcher=launcher) as running:
        [server] = psutil.Process(running.pid).children()
        assert urlopen(running.url).status == 200
        os.kill(server.pid, signal.SIGUSR2)
        running.wait_for(support_server.READY, times=2)
        assert urlopen(running.url).status == 200
        os.kill(server.pid, signal.SIGTERM)
        assert running.wait() == 0


def test_twelve_first_starts_at_once(file: Path) -> None:
    processes = [subprocess.Popen([file, "--version"], stdout=subprocess.PIPE, text=True) for _ in range(12)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert all(out.startswith("rr version ") and ", one file)" in out for out in outputs)


EXTENSIONS = """
import importlib, pathlib, sys
site = pathlib.Path(next(path for path in sys.path if path.endswith("site-packages")))
for file in sorted(site.rglob("*.so")):
    if ".libs" in file.parts[-2]:
        continue
    name = ".".join((*file.relative_to(site).parts[:-1], file.name.partition(".")[0]))
    importlib.import_module(name)
    print(name)
"""


def test_every_extension_module_loads_with_all_of_its_symbols(file: Path, tmp_path: Path) -> None:
    subprocess.run([file, "--version"], check=True, stdout=subprocess.DEVNULL)
    loaded = python(tmp_path, "-I", "-c", EXTENSIONS, LD_BIND_NOW="1").split()
    print(f"{len(loaded)} extension modules")
    assert "uvloop.loop" in loaded


def test_no_symbol_is_newer_than_the_oldest_glibc(file: Path, tmp_path: Path) -> None:
    subprocess.run([file, "--version"], check=True, stdout=subprocess.DEVNULL)
    for path in [home(tmp_path) / "bin" / "rr", *home(tmp_path).rglob("*.so*")]:
        symbols = subprocess.run(["objdump", "-T", path], capture_output=True, text=True, check=True).stdout
        versions = {tuple(map(int, one.split("."))) for one in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", symbols)}
        assert max(versions, default=(0,)) <= GLIBC, path


def test_the_php_library_and_the_licences_are_in_it(file: Path, tmp_path: Path) -> None:
    folder = Path(subprocess.run([file, "php-library"], capture_output=True, text=True, check=True).stdout.strip())
    assert (folder / "autoload.php").is_file()
    out = subprocess.run([file, "licenses", "--json"], capture_output=True, text=True, check=True).stdout
    parts = {part["name"]: part["license"] for part in json.loads(out)}
    assert {"CPython", "OpenSSL", "SQLite", "musl", "uvloop", "pip"} <= set(parts)
    print(f"{len(parts)} components; without a licence: {[name for name, words in parts.items() if not words]}")
    texts = subprocess.run([file, "licenses", "--full"], capture_output=True, text=True, check=True).stdout
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in texts


def test_plugins(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RR_PLUGINS", str(tmp_path / "plugins"))
    wheels = tmp_path / "wheels"
    pip = [str(ROOT / ".venv" / "bin" / "python"), "-m", "pip", "-q", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "-w", wheels, ROOT / "examples" / "plugin-spool"], check=True)

    def rr(*arguments: object) -> str:
        done = subprocess.run([file, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, done.stdout
        return done.stdout

    assert "add the section spool to .rr.yaml" in rr("plugin", "install", "--from", wheels, "rr-plugin-spool")
    assert [one["name"] for one in json.loads(rr("plugin", "list", "--json"))] == ["rr-plugin-spool"]
    assert '"spool"' in rr("config", "schema")
    rr("plugin", "remove", "rr-plugin-spool")
    assert json.loads(rr("plugin", "list", "--json")) == []


@pytest.fixture
def installed_deb() -> Iterator[None]:
    package = next(FULL.parent.glob("*.deb"))
    subprocess.run(["dpkg", "--root", str(BARE), "--force-script-chrootless", "-i", package], check=True)
    yield
    subprocess.run(["dpkg", "--root", str(BARE), "--force-script-chrootless", "-r", "pyroadrunner"], check=True)


def test_the_debian_package(installed_deb: None) -> None:
    out = subprocess.run(["chroot", BARE, "rr", "--version"], capture_output=True, text=True, check=True).stdout
    assert out.startswith("rr version ")
    assert "one file" not in out
    unit = (BARE / "usr/lib/systemd/system/rr.service").read_text()
    assert "ExecStart=/usr/bin/rr serve" in unit
