"""Which kind of application is in a folder, and what serving it takes.

The order counts: a framework has an ``index.php``, too, so the special cases come first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from pyroadrunner.cli.init.folder import Folder

PYTHON = ("python-worker", "python-application", "empty-python")  # kinds whose worker is in Python
WORKER = "rr-worker.php"
PYTHON_WORKER = "rr_worker.py"
_WORKERS = (WORKER, "worker.php", "psr-worker.php", "roadrunner-worker.php", "bin/worker.php", "public/worker.php")
_OF_LIBRARY = re.compile(r"PyRoadRunner\\|RR_PHP_LIBRARY")
_OF_ROADRUNNER = re.compile(r"Spiral\\RoadRunner\\")
_FUNCTION = re.compile(r"^\s*function\s+&?\w+\s*\(", re.M)
_KERNEL = re.compile(r"^namespace\s+([\w\\]+)\s*;.*?^(?:final\s+)?class\s+(\w+)\s+extends\s+\w*Kernel", re.M | re.S)
_STATIC = (".css", ".js", ".mjs", ".map", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico")
STATIC_FILES = (*_STATIC, ".woff", ".woff2", ".ttf", ".txt", ".pdf", ".mp4", ".webm")
_RUNTIMES = {
    "baldinof/roadrunner-bundle": "Baldinof\\RoadRunnerBundle\\Runtime\\Runtime",
    "fluffydiscord/roadrunner-symfony-bundle": "FluffyDiscord\\RoadRunnerBundle\\Runtime\\Runtime",
    "runtime/roadrunner-symfony-nyholm": "Runtime\\RoadRunnerSymfonyNyholm\\Runtime",
}
_PYTHON = {
    "FastAPI": (re.compile(r"^(\w+)\s*=\s*(?:\w+\.)?FastAPI\(", re.M), "asgi"),
    "Starlette": (re.compile(r"^(\w+)\s*=\s*(?:\w+\.)?Starlette\(", re.M), "asgi"),
    "Flask": (re.compile(r"^(\w+)\s*=\s*(?:\w+\.)?Flask\(", re.M), "wsgi"),
    "Bottle": (re.compile(r"^(\w+)\s*=\s*(?:\w+\.)?Bottle\(", re.M), "wsgi"),
}


@dataclass(frozen=True, kw_only=True)
class Script:
    """A worker file to write: a template of the PHP library, and what to fill in."""

    name: str
    template: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Project:
    """An application and how to serve it.

    Attributes:
        kind: for programs: ``laravel-octane``, ``symfony``, ``php-script`` ...
        title: in words: ``Laravel 12 with Octane``.
        seen: the files and packages that show it.
        command: of the workers; empty if it can't be served as it is.
        env: variables of the workers.
        static: folder with files that need no worker; empty = none.
        only: extensions that are served from ``static``; empty = all but PHP.
        script: the worker file that ``rr init`` writes; ``None`` = the framework has one.
        max_jobs: requests after which a worker is replaced.
        fresh: why each request needs a new process (``max_jobs`` is 1 then); empty = it does not.
        raw_body: whether the application parses forms itself.
        missing: what has to be installed before it runs, each with its command.
        notes: what else to know.
    """

    kind: str
    title: str
    seen: tuple[str, ...] = ()
    command: str = ""
    env: dict[str, str] = field(default_factory=dict)
    static: str = ""
    only: tuple[str, ...] = ()
    script: Script | None = None
    max_jobs: int = 1000
    fresh: str = ""
    raw_body: bool = False
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def look(folder: Folder, *, php: bool, python: str = "python3") -> Project:
    """Find out what is in a folder.

    Args:
        php: whether PHP is installed on this machine: an empty folder gets a PHP worker then, else one in Python.
        python: the interpreter for a worker in Python; it must have this package.
    """
    project = _look(folder, php=php)
    if folder.unreadable_composer and project.kind not in PYTHON:
        note = f"composer.json {folder.unreadable_composer}, so the packages it requires are unknown."
        project = replace(project, notes=(note, *project.notes))
    return replace(project, command=f"{python} {project.command}") if project.kind in PYTHON else project


def _look(folder: Folder, *, php: bool) -> Project:
    for find in _FINDERS:
        found = find(folder)
        if found is not None:
            return found
    if folder.is_empty:
        return _empty(php=php)
    return Project(
        kind="unknown",
        title="no application that rr init knows",
        notes=(
            "It looked for Laravel, Symfony, Spiral, a worker (worker.php, worker.py) and index.php.",
            "If the application is in another folder: rr init -w FOLDER. To begin with a worker file of your own:"
            " https://github.com/pyroadrunner/pyroadrunner/blob/main/docs/plain-php.md",
        ),
    )


# -- PHP frameworks ----------------------------------------------------------------------------------------------------


def _laravel(folder: Folder) -> Project | None:
    if not (folder.has("artisan") and folder.has("bootstrap/app.php")):
        return None
    name = f"Laravel {folder.version('laravel/framework')}".strip()
    seen = ("artisan", "bootstrap/app.php")
    if "laravel/octane" in folder.required or folder.has_package("laravel/octane"):
        return _octane(folder, name, seen)
    functions = next((file for file in _read_again(folder) if _FUNCTION.search(folder.text(file))), "")
    return Project(
        kind="laravel",
        title=f"{name} without Octane",
        seen=seen,
        command=f"php {WORKER}",
        static="public",
        script=Script(name=WORKER, template="laravel"),
        max_jobs=1 if functions else 500,
        fresh=f"{functions} declares functions, which a process can do only once." if functions else "",
        missing=tuple(_vendor(folder)),
        notes=(
            f"{WORKER} makes a fresh application for each request. Octane keeps it, and is faster:"
            " composer require laravel/octane spiral/roadrunner-cli spiral/roadrunner-http, then rr init --force",
        ),
    )


def _read_again(folder: Folder) -> Iterator[str]:
    """The files that Laravel reads for each application, so for each request without Octane."""
    for inside in ("bootstrap", "config", "routes"):
        yield from (f"{inside}/{name}" for name in Folder(folder.path / inside).files(".php"))


def _octane(folder: Folder, name: str, seen: tuple[str, ...]) -> Project:
    worker = "vendor/bin/roadrunner-worker"
    if not folder.has(worker) and folder.has("vendor/laravel/octane/bin/roadrunner-worker"):
        worker = "vendor/laravel/octane/bin/roadrunner-worker"
    return Project(
        kind="laravel-octane",
        title=f"{name} with Octane",
        seen=(*seen, "laravel/octane"),
        command=f"php {worker}",
        env={"APP_BASE_PATH": f"${{APP_BASE_PATH:-{folder.path}}}", "LARAVEL_OCTANE": "1"},
        static="public",
        max_jobs=500,
        missing=(*_vendor(folder), *_packages(folder, "spiral/roadrunner-http")),
        notes=("`php artisan octane:start --server=roadrunner` starts the same server with Octane's own flags.",),
    )


def _symfony(folder: Folder) -> Project | None:
    if "symfony/framework-bundle" not in folder.required and not (
        folder.has("bin/console") and folder.has("src/Kernel.php")
    ):
        return None
    name = f"Symfony {folder.version('symfony/framework-bundle')}".strip()
    static = "public" if folder.has_folder("public") else ""
    for package, runtime in _RUNTIMES.items():
        if package in folder.required or folder.has_package(package):
            return Project(
                kind="symfony-runtime",
                title=f"{name} with {package}",
                seen=("composer.json",) if folder.has("composer.json") else ("src/Kernel.php",),
                command="php public/index.php",
                env={"APP_RUNTIME": runtime},
                static=static,
                missing=(*_vendor(folder), *_packages(folder, package)),
            )
    kernel = _KERNEL.search(folder.text("src/Kernel.php"))
    namespace, name_of_class = kernel.groups() if kernel else ("App", "Kernel")
    notes = [f"`APP_ENV` of .env decides between development and production; set APP_ENV=prod for {WORKER} there."]
    if not kernel:
        notes.append(f"src/Kernel.php has no kernel that could be recognised: check `use` and `new` in {WORKER}.")
    return Project(
        kind="symfony",
        title=name,
        seen=tuple(file for file in ("composer.json", "bin/console", "src/Kernel.php") if folder.has(file)),
        command=f"php {WORKER}",
        static=static,
        script=Script(
            name=WORKER,
            template="symfony",
            values={"kernel": f"{namespace}\\{name_of_class}", "class": name_of_class},
        ),
        missing=tuple(_vendor(folder)),
        notes=tuple(notes),
    )


def _spiral(folder: Folder) -> Project | None:
    if not (folder.has("app.php") and any(package.startswith("spiral/framework") for package in folder.required)):
        return None
    return Project(
        kind="spiral",
        title=f"Spiral {folder.version('spiral/framework')}".strip(),
        seen=("app.php", "spiral/framework"),
        command="php app.php",
        static="public" if folder.has_folder("public") else "",
        missing=(*_vendor(folder), *_packages(folder, "spiral/roadrunner-bridge")),
        notes=(
            "The bridge chooses what a worker does by RR_MODE: the sections jobs, grpc and tcp need its dispatchers.",
        ),
    )


# -- plain PHP ---------------------------------------------------------------------------------------------------------


def _php_worker(folder: Folder) -> Project | None:
    for name in _WORKERS:
        text = folder.text(name)
        theirs = _OF_ROADRUNNER.search(text)
        if not theirs and not _OF_LIBRARY.search(text):
            continue
        if "Http\\Script::" in text:  # written by rr init: it runs index.php
            continue
        packages = ("spiral/roadrunner-http",) if theirs and "Http" in text else ()
        return Project(
            kind="php-worker",
            title="a worker in PHP",
            seen=(name,),
            command=f"php {name}",
            static="public" if folder.has_folder("public") and not name.startswith("public/") else "",
            missing=(*_vendor(folder), *_packages(folder, *packages)) if theirs or folder.has("composer.json") else (),
        )
    return None


def _php_script(folder: Folder) -> Project | None:
    root = next((root for root in ("public", "web", "htdocs", ".") if folder.has(f"{root}/index.php")), None)
    if root is None:
        return None
    index = "index.php" if root == "." else f"{root}/index.php"
    where = "this folder" if root == "." else f"{root}/"
    quoted = "__DIR__" if root == "." else f"__DIR__ . '/{root}'"
    return Project(
        kind="php-script",
        title="PHP scripts",
        seen=(index,),
        command=f"php -d disable_functions={SCRIPT_FUNCTIONS} {WORKER}",
        static=root,
        only=STATIC_FILES if root == "." else (),
        script=Script(name=WORKER, template="script", values={"root": where, "folder": quoted}),
        max_jobs=1,
        fresh="Scripts expect a clean start.",
        missing=tuple(_vendor(folder)),
        notes=(
            "The scripts run unchanged, each request in a process of its own, as with CGI. A worker that handles many"
            " requests is much faster: https://github.com/pyroadrunner/pyroadrunner/blob/main/docs/plain-php.md",
        ),
    )


# Script::DISABLED of the PHP library.
SCRIPT_FUNCTIONS = (
    "header,header_remove,headers_list,headers_sent,header_register_callback,"
    "http_response_code,setcookie,setrawcookie,is_uploaded_file,move_uploaded_file"
)


def _empty(*, php: bool) -> Project:
    if php:
        return Project(
            kind="empty",
            title="an empty folder",
            command="php worker.php",
            script=Script(name="worker.php", template="hello"),
            notes=("worker.php says hello: your code goes there.",),
        )
    return Project(
        kind="empty-python",
        title="an empty folder; PHP is not installed, so the worker is in Python",
        command="worker.py",
        script=Script(name="worker.py", template="hello.py"),
        notes=("worker.py says hello: your code goes there.",),
    )


# -- Python ------------------------------------------------------------------------------------------------------------


def _python_worker(folder: Folder) -> Project | None:
    for name in ("worker.py", *folder.files(".py")):
        if "pyroadrunner.sdk" in folder.text(name):
            return Project(kind="python-worker", title="a worker in Python", seen=(name,), command=name)
    return None


def _python_application(folder: Folder) -> Project | None:
    for name in folder.files(".py"):
        for framework, (sign, protocol) in _PYTHON.items():
            if found := sign.search(folder.text(name)):
                return _application(f"{name.removesuffix('.py')}:{found[1]}", framework, protocol, (name,))
    if "DJANGO_SETTINGS_MODULE" in folder.text("manage.py"):
        for inside in folder.folders():
            if folder.has(f"{inside}/wsgi.py"):
                seen = ("manage.py", f"{inside}/wsgi.py")
                return _application(f"{inside}.wsgi:application", "Django", "wsgi", seen)
    return None


def _application(place: str, framework: str, protocol: str, seen: tuple[str, ...]) -> Project:
    values = {"protocol": protocol, "place": place}
    return Project(
        kind="python-application",
        title=f"a {framework} application",
        seen=seen,
        command=PYTHON_WORKER,
        script=Script(name=PYTHON_WORKER, template="application.py", values=values),
        raw_body=True,
        notes=("Its packages and pyroadrunner must be installed for the Python of server.command.",),
    )


_FINDERS: tuple[Callable[[Folder], Project | None], ...] = (
    _laravel,
    _symfony,
    _spiral,
    _php_worker,
    _python_worker,
    _php_script,
    _python_application,
)


def _vendor(folder: Folder) -> Iterator[str]:
    if folder.has("composer.json") and folder.required and not folder.has("vendor/autoload.php"):
        yield "the packages of composer.json: composer install"


def _packages(folder: Folder, *names: str) -> Iterator[str]:
    for name in names:
        if not folder.has_package(name):
            yield f"{name}: composer {'install' if name in folder.required else f'require {name}'}"
