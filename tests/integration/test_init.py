"""`rr init && rr serve` in fresh folders of each kind, with real PHP: the application answers."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.php import require_php, require_php_package
from support.server import Server, free_port, rr

APPS = Path(__file__).parent.parent / "support" / "apps"
SCRIPT = """<?php
function greeting($name) { return "Hello, $name!"; }
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
header('X-Powered-By: scripts');
setcookie('seen', 'a b', ['path' => '/', 'httponly' => true]);
if (isset($_GET['to'])) { header('Location: /elsewhere'); exit; }
if (isset($_GET['missing'])) { http_response_code(404); exit("nothing\\n"); }
if (isset($_GET['fatal'])) { undefined_function(); }
if (isset($_FILES['file'])) { move_uploaded_file($_FILES['file']['tmp_name'], __DIR__ . '/moved.txt'); }
echo json_encode([
    'greeting' => greeting($_POST['name'] ?? $_GET['name'] ?? 'world'),
    'visits' => $_SESSION['visits'],
    'input' => file_get_contents('php://input'),
    'uri' => $_SERVER['REQUEST_URI'],
    'file' => $_FILES['file']['name'] ?? null,
]);
"""
KERNEL = """<?php

namespace App;

use Symfony\\Bundle\\FrameworkBundle\\FrameworkBundle;
use Symfony\\Bundle\\FrameworkBundle\\Kernel\\MicroKernelTrait;
use Symfony\\Component\\DependencyInjection\\Loader\\Configurator\\ContainerConfigurator;
use Symfony\\Component\\HttpFoundation\\Response;
use Symfony\\Component\\HttpKernel\\Kernel as BaseKernel;
use Symfony\\Component\\Routing\\Loader\\Configurator\\RoutingConfigurator;

class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', ['secret' => 'x', 'test' => false]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('home', '/')->controller([$this, 'home']);
    }

    public function home(): Response
    {
        return new Response("Hello from Symfony!\\n");
    }
}
"""
AUTOLOAD = """<?php
error_reporting(E_ALL & ~E_DEPRECATED);
ini_set('log_errors', '0');
require '%s';
spl_autoload_register(static function (string $class): void {
    $file = dirname(__DIR__) . '/src/' . strtr(substr($class, 4), '\\\\', '/') . '.php';
    if (str_starts_with($class, 'App\\\\') && is_file($file)) {
        require $file;
    }
});
"""


@pytest.fixture(autouse=True)
def php() -> None:
    require_php()


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """``rr init && rr serve`` on a free port; yields the port."""
    done = rr("init", cwd=folder)
    assert done.code == 0, done
    port = free_port()
    flags = ["-o", f"http.address=127.0.0.1:{port}", "-o", f"rpc.listen=tcp://127.0.0.1:{free_port()}"]
    server = Server(folder, None, command=[*flags, "-o", "http.pool.num_workers=2", "serve"])
    with server:
        yield port


def ask(
    port: int, path: str = "/", *, method: str = "GET", body: str | bytes = "", headers: Mapping[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body or None, dict(headers or {}))
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


def test_an_empty_folder(tmp_path: Path) -> None:
    with served(tmp_path) as port:
        assert ask(port)[::2] == (200, "Hello, world!\n")


def test_scripts_that_were_written_for_php_fpm(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "index.php": SCRIPT,
            "info/about.php": "<?php echo 'about ', $_SERVER['PATH_INFO'] ?? '';",
            "app.css": "p { color: red }",
            "secret.yaml": "password: x",
            ".env": "PASSWORD=x",
            "vendor/tool.php": "<?php echo 'run';",
            "session/.keep": "",
        },
    )
    with served(tmp_path) as port:
        status, headers, text = ask(port, "/some/path?name=Ann")
        assert (status, json.loads(text)["greeting"]) == (200, "Hello, Ann!")
        assert json.loads(text)["uri"] == "/some/path?name=Ann"
        assert headers["X-Powered-By"] == "scripts"
        assert headers["Content-Type"] == "text/html; charset=UTF-8"
        cookies = headers.get_all("Set-Cookie") or []
        assert cookies[0] == "seen=a%20b; path=/; HttpOnly"
        session = next(cookie.partition(";")[0] for cookie in cookies if cookie.startswith("PHPSESSID="))
        assert json.loads(ask(port, headers={"Cookie": session})[2])["visits"] == 2
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert json.loads(ask(port, method="POST", body="name=Bob", headers=form)[2])["greeting"] == "Hello, Bob!"
        raw = ask(port, method="POST", body='{"a": 1}', headers={"Content-Type": "application/json"})
        assert json.loads(raw[2])["input"] == '{"a": 1}'
        status, headers, _ = ask(port, "/?to=1")
        assert (status, headers["Location"]) == (302, "/elsewhere")
        assert ask(port, "/?missing=1")[::2] == (404, "nothing\n")
        assert ask(port, "/?fatal=1")[0] == 500
        assert ask(port, "/info/about.php/more")[2] == "about /more"
        assert ask(port, "/app.css")[2] == "p { color: red }"
        for hidden in ("/secret.yaml", "/.env", "/rr-worker.php", "/vendor/tool.php", "/.rr.yaml", "/../x.php"):
            assert "greeting" in ask(port, hidden)[2] or ask(port, hidden)[0] in (400, 403, 404), hidden


def test_a_script_that_receives_a_file(tmp_path: Path) -> None:
    write(tmp_path, {"public/index.php": SCRIPT})
    body = '--X\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nhello\r\n--X--\r\n'
    with served(tmp_path) as port:
        told = ask(port, method="POST", body=body, headers={"Content-Type": "multipart/form-data; boundary=X"})
        assert json.loads(told[2])["file"] == "f.txt"
    assert (tmp_path / "public/moved.txt").read_text("utf-8") == "hello"


def test_a_script_with_much_output_is_streamed(tmp_path: Path) -> None:
    write(tmp_path, {"index.php": "<?php for ($i = 0; $i < 50000; $i++) { echo '0123456789'; }"})
    with served(tmp_path) as port:
        assert ask(port)[2] == "0123456789" * 50_000


def test_laravel(tmp_path: Path) -> None:
    require_php_package("Illuminate/autoload.php", "php-laravel-framework")
    shutil.copytree(APPS / "laravel", tmp_path, dirs_exist_ok=True)
    app = (tmp_path / "bootstrap/app.php").read_text("utf-8")
    app = app.replace("$_SERVER['APP_BASE_PATH']", "dirname(__DIR__)")
    write(
        tmp_path, {"artisan": "", "vendor/autoload.php": AUTOLOAD % "Illuminate/autoload.php", "bootstrap/app.php": app}
    )
    with served(tmp_path) as port:
        for _ in range(3):  # the application is made anew
            status, _, text = ask(port, "/env")
            assert (status, "pid" in json.loads(text)) == (200, True)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        told = json.loads(ask(port, "/form/Ann", method="POST", body="a[b]=1", headers=form)[2])
        assert (told["name"], told["input"]) == ("Ann", {"a": {"b": "1"}})
        assert ask(port, "/app.css")[0] == 200


def test_symfony(tmp_path: Path) -> None:
    require_php_package("Symfony/Bundle/FrameworkBundle/autoload.php", "php-symfony-framework-bundle")
    write(
        tmp_path,
        {
            "composer.json": json.dumps({"require": {"symfony/framework-bundle": "^5.4"}}),
            "src/Kernel.php": KERNEL,
            "public/index.php": "<?php",
            "vendor/autoload.php": AUTOLOAD % "Symfony/Bundle/FrameworkBundle/autoload.php",
        },
    )
    with served(tmp_path) as port:
        assert ask(port)[::2] == (200, "Hello from Symfony!\n")
        assert ask(port, "/nope")[0] == 404


def test_a_worker_in_python(tmp_path: Path) -> None:
    write(tmp_path, {"worker.py": "from pyroadrunner.sdk import http\nhttp.serve(lambda request: 'from Python')\n"})
    with served(tmp_path) as port:
        assert ask(port)[::2] == (200, "from Python")


def test_an_asgi_application(tmp_path: Path) -> None:
    app = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

print("loud at import")

async def home(request):
    form = await request.form() if request.method == "POST" else {}
    file = form.get("file")
    text = file and (await file.read()).decode()
    return JSONResponse({"url": str(request.url), "name": form.get("name"), "file": text})

async def stream(request):
    return StreamingResponse(f"{number}\\n" for number in range(3))

async def fail(request):
    raise RuntimeError("failed")

app = Starlette(routes=[Route("/", home, methods=["GET", "POST"]), Route("/stream", stream), Route("/fail", fail)])
"""
    write(tmp_path, {"main.py": app})
    body = (
        '--X\r\nContent-Disposition: form-data; name="name"\r\n\r\nAnn\r\n'
        '--X\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nhello\r\n--X--\r\n'
    )
    with served(tmp_path) as port:
        told = ask(port, method="POST", body=body, headers={"Content-Type": "multipart/form-data; boundary=X"})
        assert json.loads(told[2]) == {"url": f"http://127.0.0.1:{port}/", "name": "Ann", "file": "hello"}
        assert ask(port, "/stream")[2] == "0\n1\n2\n"
        assert ask(port, "/fail")[0] == 500
        assert ask(port, "/nope")[0] == 404


def test_a_wsgi_application(tmp_path: Path) -> None:
    files = {
        "manage.py": "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'",
        "shop/__init__.py": "",
        "shop/wsgi.py": "def application(env, start):\n    start('200 OK', [])\n"
        "    return [env['PATH_INFO'].encode('latin-1')]\n",
    }
    write(tmp_path, files)
    with served(tmp_path) as port:
        assert ask(port, "/a%C3%BC")[::2] == (200, "/aü")


def test_a_migrated_pool_of_php_fpm_is_served(tmp_path: Path) -> None:
    pool = (
        f"[www]\npm = static\npm.max_children = 2\nlisten = {tmp_path}/fpm.sock\nphp_admin_value[memory_limit] = 99M\n"
    )
    write(
        tmp_path,
        {"index.php": "<?php echo ini_get('memory_limit'), getenv('WHO');", "www.conf": f"{pool}env[WHO] = Ann\n"},
    )
    done = rr("migrate", "www.conf", "--write", cwd=tmp_path)
    assert done.code == 0, done
    port = free_port()
    flags = ["-o", f"http.address=127.0.0.1:{port}", "-o", f"rpc.listen=tcp://127.0.0.1:{free_port()}"]
    with Server(tmp_path, None, command=[*flags, "serve"]):
        assert ask(port)[::2] == (200, "99MAnn")
        assert (tmp_path / "fpm.sock").is_socket()


def test_serve_in_a_folder_without_a_config_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, {"index.php": "<?php"})
    done = rr("serve", cwd=tmp_path)
    assert done.code == 1
    assert "This folder has PHP scripts (index.php)." in done.stderr
    assert "rr init && rr serve" in done.stderr


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    folder = tmp_path / "50% of my app"
    (folder / "var").mkdir(parents=True)
    done = rr("init", "--systemd", cwd=folder)
    assert done.code == 0, done
    verified = subprocess.run(
        ["systemd-analyze", "verify", "./rr.service"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (verified.returncode, "rr.service" in verified.stderr) == (0, False), verified.stderr
