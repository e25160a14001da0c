"""Addresses that are to be listened on, folders that are to be written to."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import psutil

from pyroadrunner.cli.doctor.finding import Finding, fail, ok
from pyroadrunner.config.temporary import temporary_folder

_PART = "places"
# Keys that name an address; whose section is there, and that are not empty, are looked at.
_LISTEN = (
    "http.address",
    "http.ssl.address",
    "http.fcgi.address",
    "rpc.listen",
    "server.relay",
    "metrics.address",
    "status.address",
    "fileserver.address",
    "grpc.listen",
)


def addresses(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and text of each address the config listens on. Pure.

    Args:
        config: the effective one.
    """
    for key in _LISTEN:
        text = value(config, key)
        if key == "http.ssl.address" and not value(config, "http.ssl.cert"):
            continue
        if isinstance(text, str) and text not in ("", "pipes"):
            yield key, text
    servers = value(config, "tcp.servers")
    for name, server in servers.items() if isinstance(servers, dict) else ():
        if isinstance(server, dict) and server.get("addr"):
            yield f"tcp.servers.{name}.addr", str(server["addr"])


def value(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; ``None`` when it is not there. Pure."""
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def listen(key: str, text: str) -> Finding:
    """Whether an address is free, or who has it."""
    scheme, _, where = text.rpartition("://")
    if scheme == "unix":
        return _unix(key, where)
    host, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        return fail(_PART, key, f"{text} is no address", "write host:port")
    host = host.strip("[]")
    try:
        infos = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, where_to in infos[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where_to)
    except OSError as wrong:
        return _taken(key, text, int(port)) if wrong.errno == errno.EADDRINUSE else _refused(key, text, wrong)
    return ok(_PART, key, f"{text} is free")


def _taken(key: str, text: str, port: int) -> Finding:
    holder = _holder(port)
    if holder is not None and _is_server(holder):
        return ok(_PART, key, f"{text} is held by a running server (process {holder.pid})")
    who = f"process {holder.pid} ({_name(holder)})" if holder is not None else "a process of another user"
    return fail(_PART, key, f"{text} is held by {who}", "stop it, or set another port")


def _refused(key: str, text: str, wrong: OSError) -> Finding:
    if wrong.errno == errno.EACCES:
        todo = "ports below 1024 need more rights: a systemd socket, or setcap cap_net_bind_service=+ep on python"
        return fail(_PART, key, f"{text}: permission denied", todo)
    return fail(_PART, key, f"{text}: {(wrong.strerror or str(wrong)).lower()}", "set an address of this machine")


def _holder(port: int) -> psutil.Process | None:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,) and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:  # on some systems only root may ask
        pass
    return None


def _is_server(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "serve" in words and any(os.path.basename(word) == "rr" for word in words)


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "gone"


def _unix(key: str, path: str) -> Finding:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            pass
        else:
            return ok(_PART, key, f"unix://{path} is held by a running server")
    return folder(key, os.path.dirname(path) or ".")


def folders(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and path of each folder the server, or a worker, writes to. Pure, but for the name of the system's own."""
    uploads = value(config, "http.uploads.dir")
    if value(config, "http") is not None:
        yield "http.uploads.dir", uploads or temporary_folder()
    for output in value(config, "logs.output") or ():
        if isinstance(output, str) and output not in ("stdout", "stderr") and "://" not in output:
            yield "logs.output", os.path.dirname(output) or "."
    rotated = value(config, "logs.file_logger_options.log_output")
    if rotated:
        yield "logs.file_logger_options.log_output", os.path.dirname(rotated) or "."
    stores = value(config, "kv")
    for name, store in stores.items() if isinstance(stores, dict) else ():
        if isinstance(store, dict) and store.get("driver") == "boltdb":
            yield f"kv.{name}.config.file", os.path.dirname(str(value(store, "config.file") or "rr.db")) or "."


def folder(key: str, path: str) -> Finding:
    """Whether a folder can be written to; one that is missing, whether it can be made."""
    there = os.path.abspath(path)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        return fail(_PART, key, f"{there} is no folder", "set another path")
    if not os.access(there, os.W_OK | os.X_OK):
        return fail(
            _PART, key, f"{there} can't be written to", f"chown it to the user {os.geteuid()}, or set another path"
        )
    made = "" if there == os.path.abspath(path) else ", missing and will be made"
    return ok(_PART, key, f"{os.path.abspath(path)} can be written to{made}")
