"""The examples of the manual work unchanged: its configs are valid, its links have a target."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pyroadrunner.cli.command_table import COMMANDS, SHARED
from pyroadrunner.cli.flags import UsageError, parse
from pyroadrunner.config.check import check
from pyroadrunner.config.load import LoadOptions, load
from pyroadrunner.config.models import section_models
from rr_plugin_spool.config import SpoolConfig

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
SPOOL = ROOT / "examples" / "plugin-spool"
MODELS = {**section_models(), "spool": SpoolConfig}  # as if the package of the example were installed
_FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A config has a section or `version` at its very left; other YAML (compose files, Kubernetes) has not.
_CONFIG = re.compile(rf"^(version|{'|'.join(MODELS)}):", re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of one language, without their indent."""
    found = [(indent, body) for indent, kind, body in _FENCED.findall(page.read_text("utf-8")) if kind == language]
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) for indent, body in found]


def configs() -> list[tuple[str, int, str]]:
    """Page, number and text of every config in the manual."""
    shown = [(page, number, text) for page in PAGES for number, text in enumerate(blocks(page, "yaml"))]
    return [(str(page.relative_to(ROOT)), number, text) for page, number, text in shown if _CONFIG.search(text)]


@pytest.mark.parametrize(("page", "number", "text"), configs())
def test_a_config_of_the_manual_has_no_fault_and_no_unknown_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, number: int, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for included in ("http.yaml", "jobs.yaml"):
        (tmp_path / included).write_text('version: "3"\n', encoding="utf-8")
    (tmp_path / ".rr.yaml").write_text(text, encoding="utf-8")
    for variable in re.findall(r"\$\{(\w+)\}", text):
        monkeypatch.setenv(variable, "a value of a test")
    checked = check(load(LoadOptions(require_version=False)), MODELS)
    unknown = [warning for warning in checked.warnings if warning.kind == "unknown"]
    found = [f"{fault.path}: {fault.message}" for fault in [*checked.faults, *unknown]]
    assert found == []


@pytest.mark.parametrize("example", sorted(ROOT.glob("examples/*/.rr.yaml")), ids=lambda path: path.parent.name)
def test_a_config_of_the_examples_has_no_fault_and_no_unknown_key(example: Path) -> None:
    checked = check(load(LoadOptions(path=str(example))), MODELS)
    unknown = [warning for warning in checked.warnings if warning.kind == "unknown"]
    assert [f"{fault.path}: {fault.message}" for fault in [*checked.faults, *unknown]] == []


@pytest.mark.parametrize(("section", "unit"), [("[Service]", "rr.service"), ("[Socket]", "rr.socket")])
def test_the_manual_shows_one_unit_of_each_kind_and_it_is_the_one_that_is_shipped(section: str, unit: str) -> None:
    shown = {text for page in PAGES for text in blocks(page, "ini") if section in text}
    assert shown == {(ROOT / "examples" / "systemd" / unit).read_text("utf-8")}


def test_probes_are_described_on_one_page() -> None:
    words = re.compile(r"^\|.*\b(liveness|readiness)\b", re.MULTILINE)
    assert [page.name for page in PAGES if words.search(page.read_text("utf-8"))] == ["status.md"]


@pytest.mark.parametrize(
    ("language", "pattern"), [("toml", "*.toml"), ("yaml", ".rr.yaml"), ("php", "*.php"), ("python", "src/*/[!_]*.py")]
)
def test_the_page_on_plugins_shows_the_files_of_the_example(language: str, pattern: str) -> None:
    files = sorted(SPOOL.glob(pattern))
    assert files
    shown = blocks(ROOT / "docs" / "plugins.md", language)
    assert [file.name for file in files if file.read_text("utf-8") not in shown] == []


def test_the_other_code_on_the_page_on_plugins_is_that_which_a_test_runs() -> None:
    """Every function of ``examples/pool/calls.py`` is shown, and no Python that is in no file."""
    text = (ROOT / "examples" / "pool" / "calls.py").read_text("utf-8")
    functions = {
        "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    files = {file.read_text("utf-8") for file in SPOOL.glob("src/*/*.py")}
    others = [block for block in blocks(ROOT / "docs" / "plugins.md", "python") if block not in files]
    assert {part for block in others for part in block.rstrip("\n").split("\n\n\n")} == functions


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as forges generate them."""
    text = _FENCED.sub("", page.read_text("utf-8"))
    heads = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_the_manual_have_a_target(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_placeholder(page: Path) -> None:
    assert re.findall(r"<this [^>]*>|PATH-OF-[A-Z-]*|/path/to/\S*", page.read_text("utf-8")) == []


def command_lines() -> list[tuple[str, str]]:
    """Page and text of each `rr ...` command, at a prompt or in a sentence."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        lines = re.findall(r"^[$#] (?:\S*/)?(rr .*)$", "\n".join(blocks(page, "console")), re.MULTILINE)
        lines += re.findall(r"`(rr [^`]+)`", _FENCED.sub("", page.read_text("utf-8")))
        found += [(name, line) for line in dict.fromkeys(lines) if not line.startswith(("rr COMMAND", "rr version "))]
    return found


def variants(line: str) -> list[list[str]]:
    """The commands that a line describes: ``[--json]`` is optional, ``a|b`` is an alternative, ``...`` any value."""
    line = re.sub(r" +#.*$| [&|>;] .*$", "", line).replace("\\|", "|").replace("...", "").replace("[=PATHS]", "")
    options = re.sub(r"[\[\]]", "", line).split()
    alternatives = next((word.split("|") for word in options if "|" in word), [])
    if not alternatives:
        return [options[1:]]
    return [[one if "|" in word else word for word in options[1:]] for one in alternatives]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_of_the_manual_exist_with_their_flags(page: str, line: str) -> None:
    for words in variants(line):
        try:
            parse(words, COMMANDS, SHARED)
        except UsageError as wrong:
            pytest.fail(f"{page}: {line}: {wrong}")


def test_every_page_with_differences_is_linked_from_the_page_of_all_differences() -> None:
    told = (ROOT / "docs" / "differences.md").read_text("utf-8")
    pages = [
        page for page in PAGES if re.search(r"^#+ .*[Dd]iffer.* RoadRunner", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(pages) > 5
    assert [page.name for page in pages if page.name != "differences.md" and f"({page.name}" not in told] == []


@pytest.mark.parametrize(
    ("page", "language", "example"),
    [
        ("jobs.md", "php", "jobs/worker.php"),
        ("jobs.md", "python", "jobs-python/worker.py"),
        ("centrifugo.md", "yaml", "centrifugo/.rr.yaml"),
        ("centrifugo.md", "json", "centrifugo/centrifugo.json"),
        ("centrifugo.md", "php", "centrifugo/worker.php"),
        ("centrifugo.md", "python", "centrifugo-python/chat.py"),
        ("tcp.md", "yaml", "tcp/.rr.yaml"),
        ("tcp.md", "php", "tcp/worker.php"),
        ("tcp.md", "python", "tcp-python/capitals.py"),
        ("grpc.md", "php", "grpc/worker.php"),
        ("grpc.md", "python", "grpc-python/greeter.py"),
        ("schedule.md", "yaml", "schedule/.rr.yaml"),
        ("schedule.md", "php", "schedule/worker.php"),
        ("schedule.md", "php", "schedule/clean.php"),
        ("websocket.md", "yaml", "websocket/.rr.yaml"),
        ("websocket.md", "php", "websocket/worker.php"),
        ("websocket.md", "python", "websocket-python/lobby.py"),
        ("mercure.md", "yaml", "mercure/.rr.yaml"),
        ("mercure.md", "php", "mercure/worker.php"),
        ("discovery.md", "yaml", "discovery/.rr.yaml"),
        ("discovery.md", "yaml", "discovery/prometheus.yml"),
        ("jobs-from-laravel.md", "php", "jobs-laravel/jobs.php"),
        ("jobs-from-laravel.md", "php", "jobs-laravel/app/Queue/RoadRunnerConnector.php"),
        ("jobs-from-laravel.md", "php", "jobs-laravel/app/Queue/RoadRunnerJob.php"),
        ("jobs-from-laravel.md", "php", "jobs-laravel/app/Queue/RoadRunnerQueue.php"),
        ("jobs-from-symfony.md", "php", "jobs-symfony/jobs.php"),
        ("jobs-from-symfony.md", "php", "jobs-symfony/src/Messenger/RoadRunnerTransport.php"),
        ("jobs-from-symfony.md", "php", "jobs-symfony/src/Messenger/RoadRunnerTransportFactory.php"),
        ("temporal.md", "yaml", "temporal/.rr.yaml"),
        ("temporal.md", "php", "temporal/worker.php"),
        ("jobs-drivers.md", "toml", "jobs-driver-folder/pyproject.toml"),
        ("jobs-drivers.md", "python", "jobs-driver-folder/src/rr_jobs_folder/config.py"),
    ],
)
def test_the_pages_on_jobs_and_the_schedule_show_their_examples(page: str, language: str, example: str) -> None:
    shown = blocks(ROOT / "docs" / page, language)
    assert (ROOT / "examples" / example).read_text("utf-8") in shown
