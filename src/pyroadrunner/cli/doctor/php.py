"""Check PHP: version, extensions, settings of its command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from pyroadrunner.cli.doctor.finding import Finding, fail, ok, warn

_PART = "PHP"
_OLDEST = (8, 1)  # the oldest that spiral/roadrunner-* and Octane support
_PATIENCE = 20.0  # seconds
_ASK = """
$x = fn (string $name) => extension_loaded($name);
echo json_encode([
    'version' => PHP_VERSION, 'binary' => PHP_BINARY, 'ini' => php_ini_loaded_file() ?: '',
    'json' => $x('json'), 'sockets' => $x('sockets'), 'pcntl' => $x('pcntl'), 'protobuf' => $x('protobuf'),
    'opcache' => $x('Zend OPcache'), 'opcache_cli' => (bool) ini_get('opcache.enable_cli'), 'xdebug' => $x('xdebug'),
    'display_errors' => strtolower((string) ini_get('display_errors')), 'memory_limit' => ini_get('memory_limit'),
]);
"""


def binary_of(command: Sequence[str]) -> str:
    """The PHP binary of a worker command; empty if the command does not run PHP."""
    program = os.path.basename(command[0]) if command else ""
    return command[0] if program.startswith("php") else ""


def inspect(binary: str, *, protobuf: bool) -> Iterator[Finding]:
    """Check a PHP binary.

    Args:
        binary: path or name.
        protobuf: whether workers read protobuf with this config.
    """
    path = shutil.which(binary)
    if path is None:
        yield fail(
            _PART, binary, "not found", "install it (Debian: apt install php-cli), or set its path in server.command"
        )
        return
    try:
        asked = subprocess.run([path, "-r", _ASK], capture_output=True, timeout=_PATIENCE, stdin=subprocess.DEVNULL)
        reported = json.loads(asked.stdout[asked.stdout.index(b"{") :])
    except (OSError, subprocess.TimeoutExpired, ValueError) as wrong:
        yield fail(_PART, binary, f"{path} can't be run: {wrong}", f"run {path} -v and check its output")
        return
    yield from judge(reported, path, protobuf=protobuf)


def judge(reported: dict[str, Any], path: str, *, protobuf: bool) -> Iterator[Finding]:
    """Findings from what PHP reported about itself. Pure."""
    version = str(reported["version"])
    numbers = tuple(int(part) for part in version.split(".")[:2])
    found = f"{version} ({path}, {reported['ini'] or 'no php.ini'}, memory_limit {reported['memory_limit']})"
    if numbers < _OLDEST:
        yield warn(_PART, "version", found, "worker packages need PHP 8.1 or newer")
    else:
        yield ok(_PART, "version", found)
    yield _extension(reported, "json", fail, "workers can't read requests without it: install php-json")
    yield _extension(
        reported, "sockets", warn, "needed for RPC from PHP (spiral/goridge) and for server.relay over a socket"
    )
    yield _extension(reported, "pcntl", warn, "frameworks use it for signals and for time limits of jobs")
    if protobuf:
        yield _extension(reported, "protobuf", warn, "the codec is protobuf; without the extension it is slow in PHP")
    if not reported["opcache"]:
        yield warn(_PART, "opcache", "missing", "workers run code that is not optimized: install php-opcache")
    elif not reported["opcache_cli"]:
        todo = "workers are command line processes: set opcache.enable_cli=1 in php.ini; this also allows the JIT"
        yield warn(_PART, "opcache", "off for the command line", todo)
    else:
        yield ok(_PART, "opcache", "on for the command line")
    if reported["xdebug"]:
        yield warn(_PART, "xdebug", "loaded", "it slows down every request; do not load it in production")
    if reported["display_errors"] in ("1", "on", "stdout"):
        todo = "warnings are mixed into responses; set display_errors=stderr"
        yield warn(_PART, "display_errors", "on, to stdout", todo)


def _extension(reported: dict[str, Any], name: str, otherwise: Any, todo: str) -> Finding:
    finding: Finding = ok(_PART, name, "there") if reported[name] else otherwise(_PART, name, "missing", todo)
    return finding
