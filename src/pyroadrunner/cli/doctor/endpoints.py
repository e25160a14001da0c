"""Check the addresses the server listens on and the folders it writes to."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyroadrunner.cli.doctor import holders
from pyroadrunner.cli.doctor.finding import Finding, fail, ok
from pyroadrunner.cli.doctor.holders import Holder
from pyroadrunner.config.temporary import temporary_folder

_PART = "places"
# For these, `:port` means all IPv4 addresses and no IPv6.
_IPV4_ONLY = ("http.", "fileserver.", "tcp.", "centrifuge.", "mercure.", "websocket.")
_SQLITE = "sqlite:///"
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # the host's other address family is disabled on this machine
# Keys that name an address. Checked if the section is present and the value is not empty.
_LISTEN = (
    "http.address",
    "http.ssl.address",
    "http.fcgi.address",
    "rpc.listen",
    "server.relay",
    "metrics.address",
    "status.address",
    "dashboard.address",
    "fileserver.address",
    "grpc.listen",
    "centrifuge.proxy_address",
    "mercure.address",
    "websocket.address",
)


def addresses(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and text of each address the server listens on. Pure.

    Args:
        config: the effective one.
    """
    for key in _LISTEN:
        text = value(config, key)
        if key == "http.ssl.address" and not value(config, "http.ssl.cert") and value(config, "http.ssl.acme") is None:
            continue
        if isinstance(text, str) and text not in ("", "pipes"):
            yield key, text
    servers = value(config, "tcp.servers")
    for name, server in servers.items() if isinstance(servers, dict) else ():
        if isinstance(server, dict) and server.get("addr"):
            yield f"tcp.servers.{name}.addr", str(server["addr"])


def value(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key; ``None`` if it is missing. Pure."""
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def shared(addresses: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Key, text and earlier key of each address that two sections use. Pure."""
    for at, (key, text) in enumerate(addresses):
        for earlier, other in addresses[:at]:
            if any(_clash(one, another) for one in _spots(key, text) for another in _spots(earlier, other)):
                yield key, text, earlier
                break


_Spot = tuple[str, str, str]  # unix, IPv4 or IPv6; path or host, `*` = any; port
_LOOPBACK = {"localhost": (("4", "127.0.0.1"), ("6", "::1"))}


def _spots(key: str, text: str) -> list[_Spot]:
    scheme, _, where = text.rpartition("://")
    if scheme == "unix":
        return [("unix", os.path.abspath(where), "")]
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not port.isdecimal() or int(port) == 0:  # 0: any free port
        return []
    if host == "":
        families = "4" if key.startswith(_IPV4_ONLY) else "46"
        return [(family, "*", port) for family in families]
    if host in ("0.0.0.0", "::"):
        return [("6" if ":" in host else "4", "*", port)]
    found = _LOOPBACK.get(host, (("6" if ":" in host else "4", host),))
    return [(family, one, port) for family, one in found]


def _clash(one: _Spot, other: _Spot) -> bool:
    same_host = one[1] == other[1] or "*" in (one[1], other[1])
    return one[0] == other[0] and one[2] == other[2] and same_host


def twice(key: str, text: str, earlier: str, where: str) -> Finding:
    """Finding for an address that two sections use.

    Args:
        where: file and line of the earlier key; may be empty.
    """
    host_and_port = f" ({where})" if where else ""
    return fail(
        _PART,
        key,
        f"{text} is also the address of {earlier}{host_and_port}",
        "set a different port or path for one of them",
    )


def listen(key: str, text: str, config: str) -> Finding:
    """Check whether an address is free, and which process holds it if not.

    Args:
        config: absolute path of the config; an address held by its own running server is OK.
    """
    scheme, _, where = text.rpartition("://")
    if scheme == "unix":
        return _unix(key, where, config)
    host, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 0xFFFF:
        return fail(_PART, key, f"{text} is not a valid address", "write host:port")
    host = host.strip("[]") or ("0.0.0.0" if key.startswith(_IPV4_ONLY) else "")
    try:
        infos = socket.getaddrinfo(host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as wrong:
        return _refused(key, text, wrong)
    absent: OSError | None = None
    bound = False
    for family, kind, protocol, _, address in dict.fromkeys(infos):
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
                bound = True
        except OSError as wrong:
            if wrong.errno == errno.EADDRINUSE:
                hosts = [str(info[4][0]) for info in infos]
                return held(key, text, holders.of_port(int(port), hosts), config)
            if wrong.errno not in _ABSENT:
                return _refused(key, text, wrong)
            absent = wrong
    if absent is not None and not bound:
        return _refused(key, text, absent)
    return ok(_PART, key, f"{text} is free")


def held(key: str, text: str, by: Sequence[Holder], config: str) -> Finding:
    """Finding for an address that is in use. Pure, except that links in paths are resolved."""
    for holder in by:
        if holder.is_server_of(config):
            return ok(_PART, key, f"{text} is held by the running server (process {holder.pid})")
    for holder in by:
        if holder.is_systemd():
            return ok(_PART, key, f"{text} is held by systemd, which passes it to the server")
    who = " and ".join(map(str, by)) or "a process of another user"
    other = "port" if not text.startswith("unix://") else "path"
    return fail(_PART, key, f"{text} is held by {who}", f"stop it, or set a different {other}")


def _refused(key: str, text: str, wrong: OSError) -> Finding:
    if wrong.errno == errno.EACCES:
        todo = "ports below 1024 need privileges: use a systemd socket, or setcap cap_net_bind_service=+ep on python"
        return fail(_PART, key, f"{text}: permission denied", todo)
    return fail(_PART, key, f"{text}: {(wrong.strerror or str(wrong)).lower()}", "set an address of this machine")


def _unix(key: str, path: str, config: str) -> Finding:
    text = f"unix://{path}"
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            pass  # no process listens: the server replaces the file
        except PermissionError:
            return fail(_PART, key, f"{text} is a socket of another user", "remove it, or set a different path")
        except OSError as wrong:
            if not isinstance(wrong, TimeoutError) and wrong.errno != errno.EAGAIN:
                return _refused(key, text, wrong)
            return held(key, text, [], config)  # the backlog is full, so a process listens
        else:
            return held(key, text, holders.of_socket(probe), config)
    if os.path.exists(path) and not stat.S_ISSOCK(os.stat(path).st_mode):
        return fail(_PART, key, f"{path} exists and is not a socket", "remove it, or set a different path")
    return folder(key, os.path.dirname(path) or ".")


def folders(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and path of each folder the server or a worker writes to. Pure, except that it asks for the system's
    temporary folder."""
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
    yield from _folders_of_jobs(config)


def _folders_of_jobs(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    pipelines = value(config, "jobs.pipelines")
    named: dict[str, Any] = {"sql.dsn": value(config, "sql.dsn")}
    for name, pipeline in pipelines.items() if isinstance(pipelines, dict) else ():
        driver = value(pipeline, "driver")
        if driver == "boltdb":
            file = value(pipeline, "config.file") or "rr.db"
            yield f"jobs.pipelines.{name}.config.file", os.path.dirname(str(file)) or "."
        elif driver == "sql":
            named[f"jobs.pipelines.{name}.config.dsn"] = value(pipeline, "config.dsn")
    for key, dsn in named.items():
        if isinstance(dsn, str) and dsn.startswith(_SQLITE):
            yield key, os.path.dirname(dsn.removeprefix(_SQLITE)) or "."


def folder(key: str, path: str) -> Finding:
    """Check whether a folder is writable, or can be created if it is missing."""
    there = os.path.abspath(path)
    while not os.path.exists(there):
        there = os.path.dirname(there)
    if not os.path.isdir(there):
        return fail(_PART, key, f"{there} is not a folder", "set a different path")
    if not os.access(there, os.W_OK | os.X_OK):
        return fail(
            _PART, key, f"{there} is not writable", f"chown it to the user {os.geteuid()}, or set a different path"
        )
    made = "" if there == os.path.abspath(path) else "; it does not exist and will be created"
    return ok(_PART, key, f"{os.path.abspath(path)} is writable{made}")
