"""What `rr init` finds in a folder: a table of folders, with only the files that count."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyroadrunner.cli.init.config_text import config_text
from pyroadrunner.cli.init.folder import Folder
from pyroadrunner.cli.init.project import look
from pyroadrunner.cli.init.worker_scripts import worker_script
from pyroadrunner.cli.serve.no_config import advice
from pyroadrunner.config.check import check
from pyroadrunner.config.load import LoadOptions, load
from pyroadrunner.config.models import section_models

KERNEL = "<?php\n\nnamespace App;\n\nuse X;\n\nclass Kernel extends BaseKernel\n{\n}\n"
THEIR_WORKER = "<?php use Spiral\\RoadRunner\\Http\\PSR7Worker;"
OUR_WORKER = "<?php require getenv('RR_PHP_LIBRARY') . '/autoload.php';"
LARAVEL = {"artisan": "", "bootstrap/app.php": "", "vendor/autoload.php": ""}


def composer(*packages: str) -> str:
    return json.dumps({"require": dict.fromkeys(packages, "^12.0")})


def installed(*packages: str) -> str:
    return json.dumps({"packages": [{"name": package, "version": "v3.4.1"} for package in packages]})


FOLDERS: dict[str, tuple[dict[str, str], str, str, list[str]]] = {
    "laravel": ({**LARAVEL, "composer.json": composer("laravel/framework")}, "laravel", "php rr-worker.php", []),
    "laravel without vendor": (
        {"artisan": "", "bootstrap/app.php": "", "composer.json": composer("laravel/framework")},
        "laravel",
        "php rr-worker.php",
        ["the packages of composer.json: composer install"],
    ),
    "octane": (
        {
            **LARAVEL,
            "composer.json": composer("laravel/framework", "laravel/octane"),
            "vendor/bin/roadrunner-worker": "",
            "vendor/composer/installed.json": installed("laravel/octane", "spiral/roadrunner-http"),
        },
        "laravel-octane",
        "php vendor/bin/roadrunner-worker",
        [],
    ),
    "octane for swoole": (
        {**LARAVEL, "composer.json": composer("laravel/octane"), "vendor/laravel/octane/bin/roadrunner-worker": ""},
        "laravel-octane",
        "php vendor/laravel/octane/bin/roadrunner-worker",
        ["spiral/roadrunner-http: composer require spiral/roadrunner-http"],
    ),
    "symfony": (
        {"composer.json": composer("symfony/framework-bundle"), "src/Kernel.php": KERNEL, "vendor/autoload.php": ""},
        "symfony",
        "php rr-worker.php",
        [],
    ),
    "symfony with the bundle": (
        {
            "composer.json": composer("symfony/framework-bundle", "baldinof/roadrunner-bundle"),
            "vendor/autoload.php": "",
            "public/index.php": "",
        },
        "symfony-runtime",
        "php public/index.php",
        ["baldinof/roadrunner-bundle: composer install"],
    ),
    "symfony with a runtime that is only installed": (
        {
            "bin/console": "",
            "src/Kernel.php": KERNEL,
            "vendor/composer/installed.json": installed("runtime/roadrunner-symfony-nyholm"),
        },
        "symfony-runtime",
        "php public/index.php",
        [],
    ),
    "spiral": (
        {"app.php": "", "composer.json": composer("spiral/framework"), "vendor/autoload.php": ""},
        "spiral",
        "php app.php",
        ["spiral/roadrunner-bridge: composer require spiral/roadrunner-bridge"],
    ),
    "a worker with this library": ({"worker.php": OUR_WORKER}, "php-worker", "php worker.php", []),
    "a worker with RoadRunner's packages": (
        {"psr-worker.php": THEIR_WORKER, "vendor/autoload.php": ""},
        "php-worker",
        "php psr-worker.php",
        ["spiral/roadrunner-http: composer require spiral/roadrunner-http"],
    ),
    "a worker.php that is no worker": ({"worker.php": "<?php sleep(1);"}, "unknown", "", []),
    "index.php": ({"index.php": "<?php echo 1;"}, "php-script", "", []),
    "public/index.php": ({"public/index.php": "", "index.php": ""}, "php-script", "", []),
    "scripts with the worker of an earlier rr init": (
        {"index.php": "", "rr-worker.php": f"{OUR_WORKER} PyRoadRunner\\Http\\Script::next(__DIR__);"},
        "php-script",
        "",
        [],
    ),
    "python worker": ({"worker.py": "from pyroadrunner.sdk import http"}, "python-worker", "python3 worker.py", []),
    "python worker of another name": (
        {"app.py": "import pyroadrunner.sdk.http", "lib.py": ""},
        "python-worker",
        "python3 app.py",
        [],
    ),
    "flask": ({"app.py": "app = Flask(__name__)"}, "python-application", "python3 rr_worker.py", []),
    "fastapi": ({"main.py": "\napi = fastapi.FastAPI()"}, "python-application", "python3 rr_worker.py", []),
    "django": (
        {"manage.py": "os.environ['DJANGO_SETTINGS_MODULE']", "shop/wsgi.py": ""},
        "python-application",
        "python3 rr_worker.py",
        [],
    ),
    "an application with the worker of an earlier rr init": (
        {"app.py": "app = Flask(__name__)", "rr_worker.py": "from pyroadrunner.sdk import wsgi"},
        "python-worker",
        "python3 rr_worker.py",
        [],
    ),
    "something else": ({"README.md": ""}, "unknown", "", []),
    "broken files": ({"composer.json": "[[[", "vendor/composer/installed.json": "{", "x": ""}, "unknown", "", []),
    "empty": ({".gitignore": ""}, "empty", "php worker.php", []),
}


def made(path: Path, files: dict[str, str]) -> Folder:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    return Folder(path)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_recognised(name: str, tmp_path: Path) -> None:
    files, kind, command, missing = FOLDERS[name]
    project = look(made(tmp_path, files), php=True)
    assert (project.kind, list(project.missing)) == (kind, missing)
    assert project.command.endswith("rr-worker.php") if kind == "php-script" else project.command == command


@pytest.mark.parametrize("name", [name for name in FOLDERS if FOLDERS[name][1] != "unknown"])
def test_the_config_of_each_kind_is_yaml_with_known_keys_only(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = look(made(tmp_path, FOLDERS[name][0]), php=True)
    (tmp_path / ".rr.yaml").write_text(config_text(project), encoding="utf-8")
    raw = load(LoadOptions(path=str(tmp_path / ".rr.yaml")))
    checked = check(raw, section_models())
    assert (checked.faults, checked.warnings) == ([], [])
    assert raw.data["http"]["address"] == "127.0.0.1:8080"
    assert raw.data["server"]["command"] == project.command
    assert raw.data["http"]["pool"]["max_jobs"] == project.max_jobs
    for line in config_text(project).splitlines():
        assert len(line) < 120 or "command:" in line or "allow:" in line, line


@pytest.mark.parametrize(
    "name", [name for name in FOLDERS if FOLDERS[name][1] in ("laravel", "symfony", "php-script", "empty")]
)
def test_a_worker_file_has_no_placeholder_left(name: str, tmp_path: Path) -> None:
    script = look(made(tmp_path, FOLDERS[name][0]), php=True).script
    assert script is not None
    text = worker_script(script)
    assert "{{" not in text
    assert "RR_PHP_LIBRARY" in text


def test_the_kernel_of_symfony_may_have_any_name(tmp_path: Path) -> None:
    kernel = KERNEL.replace("namespace App", "namespace Acme\\Shop").replace("class Kernel", "final class Shop")
    project = look(
        made(tmp_path, {"composer.json": composer("symfony/framework-bundle"), "src/Kernel.php": kernel}), php=True
    )
    assert project.script is not None
    text = worker_script(project.script)
    assert "use Acme\\Shop\\Shop;" in text
    assert "new Shop($environment" in text


def test_a_laravel_application_whose_routes_declare_functions_gets_a_process_for_each_request(tmp_path: Path) -> None:
    folder = made(tmp_path, {**LARAVEL, "routes/api.php": "<?php\nfunction files() {}\n"})
    project = look(folder, php=True)
    assert project.max_jobs == 1
    assert "routes/api.php declares functions" in config_text(project)


def test_without_php_an_empty_folder_gets_a_worker_in_python(tmp_path: Path) -> None:
    project = look(Folder(tmp_path), php=False)
    assert project.script is not None
    assert project.script.name == "worker.py"
    compile(worker_script(project.script), "worker.py", "exec")


def test_a_worker_in_python_gets_an_interpreter_that_has_this_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert folder.python("/opt/rr/bin/python3") == "/opt/rr/bin/python3"
    (tmp_path / "python3").touch(mode=0o755)
    assert folder.python("/opt/rr/bin/python3") == "/opt/rr/bin/python3"
    assert folder.python(f"{tmp_path}/python3") == "python3"
    made(tmp_path, {".venv/bin/python": ""})
    assert folder.python("/opt/rr/bin/python3") == ".venv/bin/python"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("flask", 'wsgi.serve("app:app")'),
        ("fastapi", 'asgi.serve("main:api")'),
        ("django", 'wsgi.serve("shop.wsgi:application")'),
    ],
)
def test_the_worker_of_an_application_in_python_names_it(name: str, call: str, tmp_path: Path) -> None:
    project = look(made(tmp_path, FOLDERS[name][0]), php=True)
    assert project.script is not None
    assert call in worker_script(project.script)
    assert "raw_body: true" in config_text(project)


def test_octane_gets_its_base_path(tmp_path: Path) -> None:
    folder = made(tmp_path, FOLDERS["octane"][0])
    assert look(folder, php=True).env["APP_BASE_PATH"] == f"${{APP_BASE_PATH:-{tmp_path}}}"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "laravel",
            ["This folder has Laravel 12 without Octane", "rr init && rr serve  write .rr.yaml and rr-worker.php"],
        ),
        ("a worker with this library", ["rr serve worker.php"]),
        ("something else", ["rr serve worker.php", "rr serve -c FILE"]),
        ("empty", ["The folder is empty.", "rr init && rr serve"]),
        ("flask", ["This folder has a Flask application (app.py)."]),
    ],
)
def test_rr_serve_without_a_config_says_what_to_do(name: str, lines: list[str], tmp_path: Path) -> None:
    told = "\n".join(advice(made(tmp_path, FOLDERS[name][0]), php=True))
    assert [line for line in lines if line not in told] == []


def test_rr_serve_without_a_config_names_one_with_another_name(tmp_path: Path) -> None:
    told = list(advice(made(tmp_path, {"rr.yaml": ""}), php=True))
    assert any("rr serve -c rr.yaml" in line for line in told)


def test_a_named_pipe_is_not_read(tmp_path: Path) -> None:
    for name in ("composer.json", "worker.php", "app.py"):
        os.mkfifo(tmp_path / name)
    assert look(Folder(tmp_path), php=True).kind == "unknown"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{nope", "is not valid JSON (line 1: Expecting property name enclosed in double quotes)"),
        (b"\xff\xfe", "is not valid JSON (line 1: Expecting value)"),
        (b"", "is empty or can't be read"),
        (b"[1]", "is not a JSON object"),
        (b"[" * 200_000, "is nested too deep"),
        (b'{"a": "' + b"y" * 300_000 + b'"}', "is larger than 256 KB"),
        (b"9" * 10_000, "is not valid JSON"),
    ],
)
def test_a_composer_file_that_can_not_be_read_is_named(tmp_path: Path, text: bytes, problem: str) -> None:
    (tmp_path / "composer.json").write_bytes(text)
    assert f"composer.json {problem}" in look(Folder(tmp_path), php=True).notes[0]
    assert any(f"composer.json {problem}" in line for line in advice(Folder(tmp_path), php=True))
