"""The first example of each page, and the first config of each plugin's page, run when copied unchanged."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from support.first_steps import Example, Step, first_block, first_example, follow, own_network
from support.php import require_php
from support.server import environment

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
SMALLEST_WORKER = first_example(DOCS / "php.md").files["worker.php"]


@pytest.fixture(autouse=True)
def own_ports() -> None:
    """Replace the manual's ports, which may be in use on this machine."""
    require_php()
    if not own_network():
        pytest.skip("unshare is not here, or namespaces are not allowed")


def run(example: Example, folder: Path) -> list[Step]:
    """Run with the commands of this environment first in PATH: ``pip install pyroadrunner`` finds it installed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return follow(example, folder, environment({"PATH": path, "COLUMNS": "120"}))


def same(shown: Step, done: Step) -> bool:
    """Responses must equal those of the page; other output must have the same first line, except for numbers."""
    if shown.command.startswith("curl"):
        return shown.output.rstrip("\n") == done.output.rstrip("\n")
    return not shown.output or _begin(shown.output) == _begin(done.output)


def _begin(output: str) -> str:
    return re.sub(r"\d", "0", output.partition("\n")[0].rstrip())


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("README.md", 5),
        ("docs/first-steps.md", 6),
        ("docs/php.md", 3),
        ("docs/plain-php.md", 3),
        ("docs/python-workers.md", 4),
        ("docs/jobs.md", 5),
    ],
)
def test_the_first_example_of_a_page_runs_as_it_is(tmp_path: Path, page: str, least: int) -> None:
    example = first_example(ROOT / page)
    assert len(example.steps) >= least
    done = run(example, tmp_path)
    assert [step for step in done if step.code] == []
    assert [step.command for step in done] == [step.command for step in example.steps]
    wrong = [(shown, was) for shown, was in zip(example.steps, done, strict=True) if not same(shown, was)]
    assert wrong == []


CONFIGS = {
    "compression": "curl -s http://127.0.0.1:8080",
    "fastcgi": "bash -c 'exec 3<>/dev/tcp/127.0.0.1/9000'",
    "fileserver": "curl -s http://127.0.0.1:10101/assets/hello.txt",
    "http": "curl -s http://127.0.0.1:8080",
    "kv": "rr kv list",
    "logs": "curl -s http://127.0.0.1:8080",
    "metrics": "curl -s http://127.0.0.1:2112/metrics",
    "middleware": "curl -s http://127.0.0.1:8080",
    "otel": "curl -s http://127.0.0.1:8080",
    "plain-php": "curl -s http://127.0.0.1:8080",
    "rpc": "rr workers",
    "server": "curl -s http://127.0.0.1:8080",
    "service": "rr workers service",
    "sizing": "curl -s http://127.0.0.1:8080",
    "status": "curl -s http://127.0.0.1:2114/health",
    "tls": "curl --insecure https://127.0.0.1:8443",
    "troubleshooting": "curl -s http://127.0.0.1:8080",
}
ANSWERS = {
    "fastcgi": "",
    "fileserver": "Hello, world!\n",
    "kv": "cache",
    "metrics": "mail_seconds",
    "rpc": "Workers of [http]:",
    "service": "PHP_EOL",
    "status": '"plugin_name":"http"',
}
PREPARED = {
    "fileserver": ["mkdir -p public/assets", "echo 'Hello, world!' > public/assets/hello.txt"],
    "tls": [first_example(DOCS / "tls.md").steps[0].command],
}


@pytest.mark.parametrize("page", CONFIGS)
def test_the_first_config_of_a_page_is_served_as_it_is(tmp_path: Path, page: str) -> None:
    files = {".rr.yaml": first_block(DOCS / f"{page}.md", "yaml"), "worker.php": SMALLEST_WORKER}
    commands = [*PREPARED.get(page, ()), "rr serve", CONFIGS[page]]
    done = run(Example(files, tuple(Step(command=command, output="") for command in commands)), tmp_path)
    assert [step for step in done if step.code] == []
    assert ANSWERS.get(page, "Hello, world!\n") in done[-1].output
    served = done[-2].output
    assert "unknown" not in served, served
