"""Programs for Node, with the packages that ``scripts/node-tools.sh`` installs."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60.0
_ROOT = Path(__file__).parent.parent.parent
_HOME, _WANTED = _ROOT / ".cache" / "node", _ROOT / "scripts" / "node"
# Each line on stdin is the body of an async function; its result or error is a line on stdout, as are events.
_LOOP = """
import { createInterface } from 'node:readline';
const write = (kind, value) => process.stdout.write(JSON.stringify({ [kind]: value ?? null }) + '\\n');
const say = (...event) => write('event', event);
%s
const run = (body) => eval(`(async () => { ${body} })()`);
for await (const line of createInterface({ input: process.stdin })) {
  await run(JSON.parse(line)).then((value) => write('result', value), (error) => write('error', String(error)));
}
process.exit(0);
"""


def require_node() -> tuple[str, dict[str, str]]:
    """Path of Node, and the environment in which it finds the packages with ``require``.

    Without them the test is skipped; it fails in CI if there is a Node (``CI`` is set).
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    if not _installed():
        why = "the packages for Node, in the versions of scripts/node, are not installed: run scripts/node-tools.sh"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return node, {**os.environ, "NODE_PATH": str(_HOME / "node_modules")}


def _installed() -> bool:
    """Packages of an older checkout do not count: a page that misses one would be waited for in vain."""
    names = ("package.json", "package-lock.json")
    return (_HOME / "complete").exists() and all(
        (_HOME / name).read_bytes() == (_WANTED / name).read_bytes() for name in names
    )


def node_modules() -> Path:
    """The folder with the packages; skips like :func:`require_node`."""
    return Path(require_node()[1]["NODE_PATH"])


class NodeProgram:
    """A running program in JavaScript that carries out orders."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._events: deque[list[Any]] = deque()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def call(self, body: str) -> Any:
        """Run the body of an async function; return what it returns.

        Raises:
            AssertionError: it has thrown.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(body) + "\n")
        self._process.stdin.flush()
        while True:
            line = self._line()
            if "event" in line:
                self._events.append(line["event"])
            else:
                assert "error" not in line, line["error"]
                return line["result"]

    def next(self) -> list[Any]:
        """The arguments of the program's next call of ``say``."""
        if self._events:
            return self._events.popleft()
        event: list[Any] = self._line()["event"]
        return event

    def close(self) -> None:
        """Kill it; return when all its output was read."""
        self._process.kill()
        self._reader.join(PATIENCE)

    def _line(self) -> dict[str, Any]:
        line = self._lines.get(timeout=PATIENCE)
        assert line is not None, "the program has ended; see its stderr"
        return line

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)


@contextmanager
def node_program(folder: Path, text: str) -> Iterator[NodeProgram]:
    """Run a program until the end of the ``with``.

    Args:
        folder: for its file.
        text: imports and functions of an ES module. What it passes to ``say`` are its events.
    """
    node, _ = require_node()
    (folder / "node_modules").symlink_to(node_modules())
    (folder / "program.mjs").write_text(_LOOP % text, encoding="utf-8")
    with subprocess.Popen(
        [node, "program.mjs"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        program = NodeProgram(process)
        try:
            yield program
        finally:
            program.close()
