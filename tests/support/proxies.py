"""nginx, Apache, HAProxy and Caddy in the foreground, with a config of the manual and the test's paths and ports."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.programs import PATIENCE, require
from support.server import Stream, environment

# What Debian's configs have around the sites. All children of nginx and Apache write into the folder.
_NGINX = """
daemon off;
worker_processes 1;
{user}
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    types {{ text/css css; }}
    default_type application/octet-stream;
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{site}
}}
"""
_APACHE = """
ServerRoot {folder}
ServerName localhost
{user}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
LogLevel notice
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule reqtimeout_module /usr/lib/apache2/modules/mod_reqtimeout.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
Listen {listen}
{site}
"""
_HAPROXY = """
defaults
    mode http
    timeout connect 5000
    timeout client  50000
    timeout server  50000

{site}
"""
_CADDY = """{{
	admin off
	auto_https off
	storage file_system {folder}/caddy
}}

{site}
"""


class Proxy:
    """A running proxy."""

    def __init__(self, command: list[str], env: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment(env)
        )
        assert self._process.stderr is not None
        self._changed = threading.Condition()
        self._stream = Stream(self._process.stderr, self._changed)

    @property
    def log(self) -> str:
        """Everything that it has written to stderr."""
        return self._stream.text

    def wait_for(self, text: str) -> None:
        """Return once it has written the text."""
        with self._changed:
            self._changed.wait_for(lambda: text in self.log or self._stream.ended, PATIENCE)
        assert text in self.log, self.log

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            self._stream.close()


def block(page: Path, language: str, changes: Mapping[str, str], number: int = 0) -> str:
    """An example of a page in a language, with replacements. Each replaced text has to exist.

    Args:
        number: which of the page's examples in this language, from 0.
    """
    found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    text: str = found[number]
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def nginx(folder: Path, site: str) -> Iterator[Proxy]:
    """Serve a site with nginx; it is ready on entry."""
    command = require("nginx")
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, user=user, site=site), encoding="utf-8")
    with _running([command, "-c", str(config), "-e", "stderr"], "start worker process ") as proxy:
        yield proxy


@contextmanager
def apache(folder: Path, site: str) -> Iterator[Proxy]:
    """Serve a site with Apache; it is ready on entry. If root starts it, its children are another user: the folder and
    the sockets in it must be open to all."""
    command = require("apache2")
    [listen] = re.findall(r"<VirtualHost (\S+)>", site)
    user = "User #65534\nGroup #65534" if os.geteuid() == 0 else ""
    config = folder / "apache.conf"
    text = _APACHE.format(folder=folder, user=user, listen=listen, site=site)
    config.write_text(text, encoding="utf-8")
    with _running([command, "-D", "FOREGROUND", "-f", str(config)], "resuming normal operations") as proxy:
        yield proxy


@contextmanager
def haproxy(folder: Path, site: str) -> Iterator[Proxy]:
    """Serve a site with HAProxy; it is ready on entry."""
    command = require("haproxy")
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(site=site), encoding="utf-8")
    with _running([command, "-W", "-db", "-f", str(config)], "Loading success") as proxy:
        yield proxy


@contextmanager
def caddy(folder: Path, site: str) -> Iterator[Proxy]:
    """Serve a site with Caddy; it is ready on entry."""
    command = require("caddy")
    config = folder / "Caddyfile"
    config.write_text(_CADDY.format(folder=folder, site=site), encoding="utf-8")
    env = {"HOME": str(folder)}
    with _running([command, "run", "--config", str(config)], "serving initial configuration", env) as proxy:
        yield proxy


@contextmanager
def _running(command: list[str], ready: str, env: Mapping[str, str] | None = None) -> Iterator[Proxy]:
    proxy = Proxy(command, env)
    try:
        proxy.wait_for(ready)
        yield proxy
    finally:
        proxy.stop()
