"""The usual PHP setup: nginx in front of php-fpm, tuned for speed.

Two static children over a unix socket, opcache as shipped by Debian (on), no access log, keep-alive for clients.
Connections to php-fpm are not kept: without ``keepalive`` and ``fastcgi_keep_conn`` nginx makes one for each request. A
kept connection would occupy one of the two children while it is idle, and other requests would wait.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import classes, wrk
from bench.client import NotUp, free_port, wait_until_up
from bench.loads import HELLO
from bench.subject import PHP_FILES, WORKERS, Subject, process

NGINX = """
worker_processes {processes};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/log error;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    fastcgi_buffers 8 32k;  # the answer of 100 KB stays in memory
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            fastcgi_pass unix:{folder}/fpm.sock;
            fastcgi_param SCRIPT_FILENAME "{script}";
            fastcgi_param QUERY_STRING    $query_string;
            fastcgi_param REQUEST_METHOD  $request_method;
            fastcgi_param CONTENT_TYPE    $content_type;
            fastcgi_param CONTENT_LENGTH  $content_length;
            fastcgi_param REQUEST_URI     $request_uri;
            fastcgi_param DOCUMENT_URI    $document_uri;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REMOTE_ADDR     $remote_addr;
            fastcgi_param SERVER_NAME     $server_name;
            fastcgi_param {variables};
        }}
    }}
}}
"""

FPM = """
[global]
error_log = {folder}/fpm.log
daemonize = no
[bench]
{user}
listen = {folder}/fpm.sock
listen.backlog = 4096
pm = static
pm.max_children = {workers}
"""


def find(name: str) -> str:
    """Find a command that may be in an sbin folder, or have a version in its name.

    Raises:
        NotUp: the command was not found.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    if found := shutil.which(name, path=path):
        return found
    for folder in path.split(os.pathsep):
        for file in sorted(Path(folder or ".").glob(f"{name}[0-9]*")):
            return str(file)
    raise NotUp(f"{name} is not installed; make bench installs it")


def nginx_config(folder: Path, processes: int, port: int) -> str:
    """The config of nginx; the class files of the load ``boot`` are written beside it."""
    variables = " ".join(f'{name} "{value}"' for name, value in classes.write(folder / "classes").items())
    script = PHP_FILES / "fpm.php"
    return NGINX.format(folder=folder, processes=processes, port=port, script=script, variables=variables)


@contextlib.contextmanager
def serving(processes: int) -> Iterator[Subject]:
    """Start both, wait for the first response, stop both at the end.

    Args:
        processes: nginx's ``worker_processes``.

    Raises:
        NotUp: with their output.
    """
    with tempfile.TemporaryDirectory(prefix="bench-nginx-") as name, contextlib.ExitStack() as stack:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        root = os.geteuid() == 0
        user = getpass.getuser()
        (folder / "fpm.conf").write_text(
            FPM.format(folder=folder, workers=WORKERS, user=f"user = {user}" if root else "")
        )
        config = nginx_config(folder, processes, port)
        (folder / "nginx.conf").write_text((f"user {user};" if root else "") + config)
        fpm_command = [find("php-fpm"), "-F", "-y", str(folder / "fpm.conf"), *(["-R"] if root else [])]
        fpm = stack.enter_context(process(fpm_command, folder / "log", folder))
        nginx_command = [find("nginx"), "-e", str(folder / "log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
        nginx = stack.enter_context(process(nginx_command, folder / "log", folder))
        try:
            wait_until_up(port)
        except NotUp as error:
            raise NotUp(f"{error}\n{(folder / 'log').read_text(errors='replace')[-4000:]}") from error
        yield Subject(name="nginx", title="nginx + php-fpm", port=port, roots=(nginx.pid, fpm.pid))


def rates(seconds: float) -> dict[int, float]:
    """Requests per second of hello by number of worker processes, to choose the best."""
    measured = {}
    for processes in (1, 2):
        with serving(processes) as subject:
            wrk.run(subject.port, HELLO, 1)
            measured[processes] = wrk.run(subject.port, HELLO, seconds).rate
    return measured
