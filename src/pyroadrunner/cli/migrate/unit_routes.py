"""Listeners, routes and settings of NGINX Unit. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pyroadrunner.cli.migrate.builder import Builder
from pyroadrunner.config.durations import format_duration

Json = dict[str, Any]
_URI = re.compile(r"\$\{?(uri|request_uri)\}?$")
_MB = 2**20


def as_map(value: object) -> Json:
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def whole(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else default


def listeners(build: Builder, listeners: Json, chosen: str) -> None:
    for address, listener in listeners.items():
        path = f"listeners.{address}"
        target = str(as_map(listener).get("pass", ""))
        if target.startswith("applications/") and target.split("/")[1] != chosen:
            build.note("ignored", path, note="it is for another application")
            continue
        _listener(build, path, address, as_map(listener))
    if build.get("http.address") is None and build.get("http.ssl.address") is None:
        build.add("http.address", "127.0.0.1:8080", "no listener could be taken over")


def _listener(build: Builder, path: str, address: str, listener: Json) -> None:
    where = address.removeprefix("*")
    if not re.fullmatch(r"(|[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}|unix:/\S+", where) or "$" in where:
        build.note("ignored", path, note="not an address that can be taken over")
        return
    where = where.replace("unix:/", "unix:///", 1)
    key = "http.ssl.address" if "tls" in listener else "http.address"
    if build.get(key) is not None:
        note = f"there is one {key}: put a proxy in front, or start a second server"
        build.note("ignored", path, note=note)
        return
    if "tls" in listener:
        build.set("http.ssl", {"address": where, "cert": "server.crt", "key": "server.key"})
        build.note("changed", path, target=key)
        note = "Unit keeps the certificate: write it and its key to these files"
        build.note("different", f"{path}.tls", target="http.ssl.cert", note=note)
    else:
        build.set(key, where)
        build.note("kept", path, target=key)
    if "forwarded" in listener:
        _forwarded(build, f"{path}.forwarded", as_map(listener["forwarded"]))
    for other in listener:
        if other not in ("pass", "tls", "forwarded"):
            build.note("ignored", f"{path}.{other}", note="not a key that rr migrate knows")


def _forwarded(build: Builder, path: str, forwarded: Json) -> None:
    source = forwarded.get("source", [])
    subnets = [str(one) for one in (source if isinstance(source, list) else [source])]
    plain = [one for one in subnets if re.fullmatch(r"[0-9a-fA-F:.]+(/\d{1,3})?", one)]
    if plain != subnets or not plain:
        build.note("ignored", path, note="its source is no list of addresses: see http.trusted_subnets")
        return
    build.set("http.middleware", [*(build.get("http.middleware") or []), "proxy_ip_parser"])
    build.set("http.trusted_subnets", plain)
    build.set("http.trusted_walk", bool(forwarded.get("recursive")))
    header = str(forwarded.get("client_ip", ""))
    if re.fullmatch(r"[\w-]+", header):
        build.set("http.trusted_headers", [header])
    build.note("changed", path, target="http.trusted_subnets", note="with the middleware proxy_ip_parser")


def routes(build: Builder, routes: Any) -> None:
    """Static files are taken over; of other actions only the application remains."""
    for path, step in _steps(routes):
        action = as_map(step.get("action"))
        if "share" in action:
            _share(build, path, step, action)
            if "fallback" in action:
                _action(build, f"{path}.action.fallback", as_map(action["fallback"]))
        else:
            _action(build, f"{path}.action", action)
        if "match" in step:
            _match(build, f"{path}.match", as_map(step["match"]), share="share" in action)


def _steps(routes: Any) -> Iterator[tuple[str, Json]]:
    named = routes if isinstance(routes, dict) else {"": routes}
    for name, steps in named.items():
        for number, step in enumerate(steps if isinstance(steps, list) else ()):
            yield f"routes{f'.{name}' if name else ''}[{number}]", as_map(step)


def _match(build: Builder, path: str, match: Json, *, share: bool) -> None:
    if share:
        note = "every path is looked up in the folder; PHP and hidden files are never sent"
    else:
        note = "every path goes to the workers; http.routes gives paths pools of their own"
    for key in match:
        build.note("different" if key == "uri" else "ignored", f"{path}.{key}", note=note)


def _share(build: Builder, path: str, step: Json, action: Json) -> None:
    shares = action["share"] if isinstance(action["share"], list) else [action["share"]]
    share = str(shares[0]) if shares else ""
    folder = _URI.sub("", share).rstrip("/")
    if not folder or folder == share.rstrip("/") or "$" in folder:
        build.note("ignored", f"{path}.action.share", note=f"not a folder with $uri: {share}; see http.static.dir")
        return
    if build.get("http.static") is not None:
        build.note("ignored", f"{path}.action.share", note="one folder is served: http.static.dir")
        return
    build.set("http.middleware", ["static", *(build.get("http.middleware") or [])])
    build.set("http.static.dir", folder)
    build.note("changed", f"{path}.action.share", target="http.static.dir", note="with the middleware static")
    for other in shares[1:]:
        build.note("ignored", f"{path}.action.share", note=f"one folder is served: {other} is not")
    for key, note in {
        "types": "http.static.allow and forbid choose by extension",
        "index": "a folder is answered by the workers",
        "chroot": "no file outside of the folder is sent",
        "follow_symlinks": "http.static.follow_symlinks decides it",
        "traverse_mounts": "mounts are followed",
        "response_headers": "http.static.response adds headers",
    }.items():
        if key in action:
            build.note("ignored", f"{path}.action.{key}", note=note)


def _action(build: Builder, path: str, action: Json) -> None:
    for key, value in action.items():
        if key == "pass":
            note = "" if str(value).startswith(("applications/", "routes")) else "upstreams are not served"
            build.note("ignored" if note else "kept", f"{path}.{key}", note=note)
        elif key in ("return", "location", "proxy", "rewrite", "response_headers"):
            note = {
                "response_headers": "http.headers.response adds headers to every response",
                "proxy": "put nginx, HAProxy or Caddy in front",
            }.get(key, "the application, or a proxy in front, has to do it")
            build.note("ignored", f"{path}.{key}", note=note)
        elif key != "fallback":
            build.note("ignored", f"{path}.{key}", note="not a key that rr migrate knows")


def settings(build: Builder, settings: Json) -> None:
    http = as_map(settings.get("http"))
    times = {
        "header_read_timeout": "http.limits.head_timeout",
        "body_read_timeout": "http.limits.body_timeout",
        "send_timeout": "http.limits.write_timeout",
        "idle_timeout": "http.limits.idle_timeout",
    }
    for key, value in http.items():
        path = f"settings.http.{key}"
        if key in times and whole(value, 0):
            build.set(times[key], format_duration(whole(value, 0)))
            build.note("kept", path, target=times[key])
        elif key == "max_body_size" and whole(value, 0):
            size = math.ceil(whole(value, 0) / _MB)
            build.set("http.max_request_size", size)
            note = "" if size * _MB == value else f"rounded up to {size} MB"
            build.note("different" if note else "kept", path, target="http.max_request_size", note=note)
        elif key == "discard_unsafe_fields":
            build.note("ignored", path, note="names of headers that are not valid are refused with 400")
        elif key == "server_version":
            build.note("ignored", path, note="no header names the server")
        else:
            build.note("ignored", path, note="not a setting that rr migrate knows")
    for key in settings:
        if key != "http":
            build.note("ignored", f"settings.{key}", note="not a setting that rr migrate knows")


def access_log(build: Builder, value: Any) -> None:
    if value is False or (isinstance(value, dict) and value.get("if") == ""):
        build.note("ignored", "access_log", note="logs.channels.http.level hides the lines of requests")
        return
    build.set("http.access_logs", True)
    note = "the lines go to the log of the server, in its format; logs.channels.http sends them to a file"
    build.note("different", "access_log", target="http.access_logs", note=note)
