"""nginx and Caddy in the foreground, with a config of the manual and the test's paths and ports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.server import environment

_SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])

# Debian's config around the sites.
_NGINX = """
daemon off;
{user}
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    types {{ text/css css; }}
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
_CADDY = """{{
	admin off
	auto_https off
	storage file_system {folder}/caddy
}}

{site}
"""


def require_command(name: str) -> str:
    """Path of the program; without it the test is skipped."""
    found = shutil.which(name, path=_SBIN)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def block(page: Path, language: str, changes: Mapping[str, str]) -> str:
    """The first example of a page in a language, with replacements. Each replaced text has to exist."""
    found = re.search(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    text = found[1]
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def nginx(folder: Path, site: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a site with nginx; it is ready on entry."""
    command = require_command("nginx")
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, user=user, site=site), encoding="utf-8")
    with _running([command, "-c", str(config), "-e", "stderr"], "start worker process ") as process:
        yield process


@contextmanager
def caddy(folder: Path, site: str) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a site with Caddy; it is ready on entry."""
    command = require_command("caddy")
    config = folder / "Caddyfile"
    config.write_text(_CADDY.format(folder=folder, site=site), encoding="utf-8")
    env = {"HOME": str(folder)}
    with _running([command, "run", "--config", str(config)], "serving initial configuration", env) as process:
        yield process


@contextmanager
def _running(command: list[str], ready: str, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment(env)) as process:
        assert process.stderr is not None
        said = ""
        try:
            while ready not in said:
                line = process.stderr.readline().decode()
                said += line
                assert line, said
            yield process
        finally:
            process.terminate()
            process.stderr.read()  # read all further output, so that it does not block on a full pipe
            process.wait(30)
