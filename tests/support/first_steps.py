"""Follows the first example of a page of the manual like a reader: its files and commands, exactly as printed.

The commands run in their own network namespace, where the ports of the manual (8080, 6001) are free. As a script,
for ``scripts/dist.sh``:

    python tests/support/first_steps.py README.md      the commands of PATH; prints the output of each
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

READY = "RoadRunner server started"
PATIENCE = 60.0  # seconds for a command
_FILES = {"php": "worker.php", "python": "worker.py", "yaml": ".rr.yaml"}
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SERVES = ("rr serve", "make serve")
_MAKES_VENV = "python3 -m venv"  # the caller has created one: its commands are on PATH


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command and its output: from the page, or from a run."""

    command: str
    output: str
    code: int = 0


@dataclass(frozen=True)
class Example:
    """The first section of a page with commands."""

    files: dict[str, str]
    steps: tuple[Step, ...]


def first_example(page: Path) -> Example:
    """Read the first section with a block of commands.

    Raises:
        ValueError: the page has none.
    """
    for section in re.split(r"^## ", page.read_text("utf-8"), flags=re.MULTILINE):
        blocks = _BLOCK.findall(section)
        steps = [step for language, text in blocks if language == "console" for step in _steps(text)]
        if steps:
            files = {_FILES[language]: text for language, text in reversed(blocks) if language in _FILES}
            return Example(files, tuple(step for step in steps if not step.command.startswith(_MAKES_VENV)))
    raise ValueError(f"{page} has no commands")


def first_block(page: Path, language: str) -> str:
    """The first block of a language.

    Raises:
        ValueError: the page has none.
    """
    for kind, text in _BLOCK.findall(page.read_text("utf-8")):
        if kind == language:
            return str(text)
    raise ValueError(f"{page} has no block of {language}")


def own_network() -> list[str]:
    """The prefix that runs a command in its own network namespace; empty if that is not possible."""
    unshare = shutil.which("unshare")
    command = [unshare or "", "--map-root-user", "--net"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        return []
    return command


def follow(example: Example, folder: Path, environment: dict[str, str] | None = None) -> list[Step]:
    """Write the files into the folder and run the commands there, in order; a server runs until the end.

    Returns:
        The results; for a server its exit code.
    """
    for name, text in example.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    commands = json.dumps([step.command for step in example.steps])
    launcher = own_network()
    flags = ["--own-network"] if launcher else []
    done = subprocess.run(
        [*launcher, sys.executable, __file__, *flags, "--commands"],
        cwd=folder,
        env=environment,
        input=commands.encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=5 * PATIENCE,
    )
    return [Step(**step) for step in json.loads(done.stdout)]


def _steps(text: str) -> list[Step]:
    """Lines that begin with ``$ `` are commands; the lines after a command are its output."""
    found: list[Step] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append(Step(command=line[2:], output=""))
        elif found:
            found[-1] = Step(command=found[-1].command, output=f"{found[-1].output}{line}\n")
    return found


class _Served:
    """A server that runs during the commands after it."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._output: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_until_ready(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or READY in "".join(self._output), PATIENCE)

    def stop(self) -> Step:
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE)
        with self._changed:
            self._changed.wait_for(lambda: self._ended, PATIENCE)
        return Step(command=self.command, output="".join(self._output), code=code)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self._output.append(line.decode("utf-8", "replace"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _run(commands: Sequence[str]) -> list[Step]:
    steps: list[Step | _Served] = []
    for command in commands:
        if command.startswith(_SERVES):
            server = _Served(command)
            server.wait_until_ready()
            steps.append(server)
            continue
        done = subprocess.run(
            ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE
        )
        code, output = done.returncode, done.stdout or done.stderr  # curl writes its progress to stderr
        steps.append(Step(command=command, output=output.decode("utf-8", "replace"), code=code))
    return [step.stop() if isinstance(step, _Served) else step for step in steps]


def _raise_loopback() -> None:
    """``ip link set lo up``: in a new namespace the interface is down."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1  # linux/sockios.h, linux/if.h
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, get_flags, request))[1]
        fcntl.ioctl(control, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def _main(arguments: list[str]) -> int:
    if "--commands" in arguments:
        if "--own-network" in arguments:
            _raise_loopback()
        print(json.dumps([asdict(step) for step in _run(json.load(sys.stdin))]))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        steps = follow(first_example(Path(arguments[0])), Path(folder))
    for step in steps:
        print(f"$ {step.command}\n{step.output}", end="")
    return max(step.code for step in steps)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
