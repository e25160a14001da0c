"""One log entry to the text that a person at a terminal reads. Pure.

    14:03:52 GET /cart 200 3 ms
    14:03:53 ERROR GET /cart failed: RuntimeException: no price in /app/Cart.php:10
             worker 20073 of pool http, after 3 ms
               #0 /app/worker.php(9): Cart->price()

Theory of operation. An entry is a sentence, facts (``name=value``) behind it, and blocks of lines below it. Entries
that come often have a sentence of their own in ``_SENTENCES``; it takes the fields that it says out of the entry. All
others are their message. What is left of the fields becomes facts, or blocks where a value has several lines. An entry
whose fields are not those that its sentence needs is drawn like any other.

Colours. Of the sixteen colours of a terminal only red and magenta can be read on white and on black in the usual
palettes (contrast of 3.6 or more in xterm's; green and cyan have 2 on white, blue 2.2 on black). So text has the colour
of the terminal; red and magenta, bold and faint mark parts of it.

What workers and clients send may hold escape sequences. They are shown, not obeyed.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from pyroadrunner.config.durations import format_duration
from pyroadrunner.workers.errors import SOFT_ERROR

_BOLD, _FAINT, _RED, _MAGENTA = "1", "2", "31", "35"
_INDENT = " " * 9  # the width of the time
_WARN = 400  # statuses from here on are marked, ...
_FAIL = 500  # ... and from here on as errors
_SECOND_MS = 1000
_BLOCKS = ("trace", "stdout", "stderr")  # values that are lines, however many
_UNSAID = ("start",)  # the time in front and `elapsed` say it
# Of the request lines: what their sentence says, or nobody at a terminal asks for.
_REQUEST_UNSAID = ("URL", "start", "query", "content_len", "time_local", "request_time", "read_bytes", "write_bytes")
# Control characters, and those that turn the direction of the text around them (Unicode TR 36, section 2.3).
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")  # ECMA-48 SGR: `dump()` colours what it prints
_PIECES = re.compile(f"({_COLOUR.pattern})")

Fields = dict[str, Any]
Encoder = Callable[[int, int, str, str, Mapping[str, Any]], bytes]


def terminal(ending: str = "\n", *, coloured: bool, zone: tzinfo | None = None) -> Encoder:
    """The encoder of a terminal.

    Args:
        ending: what ends each line.
        coloured: whether parts are marked by colours.
        zone: of the times; ``None`` = local.
    """
    paint = _paint if coloured else _plain
    end = ending or "\n"
    clock = _Clock(zone)

    def encode(level: int, ns: int, name: str, message: str, fields: Mapping[str, Any]) -> bytes:
        try:
            lines = [*_entry(level, name, message, dict(fields), paint)]
        except Exception as wrong:  # a field's own __str__; the line is still written
            lines = [f"{_safe(name)}: {_safe(message)} (fields that can't be shown: {type(wrong).__name__})"]
        lines[0] = f"{paint(_FAINT, clock.text(ns))} {lines[0]}"
        return (end.join(lines) + end).encode("utf-8", "backslashreplace")

    return encode


class _Clock:
    """Times of the day. Many lines share their second."""

    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._last = (-1, "")  # one tuple, so that threads see both or neither

    def text(self, ns: int) -> str:
        second, text = self._last
        if second != ns // 1_000_000_000:
            second = ns // 1_000_000_000
            text = f"{datetime.fromtimestamp(second, self._zone):%H:%M:%S}"
            self._last = (second, text)
        return text


Paint = Callable[[str, str], str]


def _paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _plain(_code: str, text: str) -> str:
    return text


# -- an entry ----------------------------------------------------------------------------------------------------------


def _entry(level: int, name: str, message: str, fields: Fields, paint: Paint) -> Iterator[str]:
    """Its lines: the first without the time, the others with their indent."""
    if name == "server" and level == logging.INFO and fields.keys() == {"pool", "pid"}:
        yield _output(message, fields, paint)
        return
    sentence = _REQUESTS.get(message)
    if sentence is not None and fields.keys() >= {"method", "URI", "status", "elapsed"}:
        yield sentence(fields, paint) + _facts(fields)
        return
    below = _below(fields)
    text = _sentence(name, message, fields)
    first, *more = _safe_lines(text)
    yield _mark(level, paint) + (paint(_BOLD, first) if level >= logging.ERROR else first) + _facts(fields)
    for line in (*more, *below):
        yield _INDENT + line


def _mark(level: int, paint: Paint) -> str:
    if level >= logging.ERROR:
        return paint(f"{_BOLD};{_RED}", "FATAL" if level >= logging.CRITICAL else "ERROR") + " "
    return paint(f"{_BOLD};{_MAGENTA}", "WARN") + " " if level >= logging.WARNING else ""


def _output(line: str, fields: Fields, paint: Paint) -> str:
    """What a worker wrote to stderr."""
    pool = "" if fields["pool"] == "http" else f" ({_safe(str(fields['pool']))})"
    source = paint(_FAINT, f"worker {fields['pid']}{pool} |")
    if paint is _plain or "\x1b" not in line:
        return f"{source} {_safe(_COLOUR.sub('', line))}".rstrip()
    # Colours are kept on a terminal that has them, and end with the line.
    text = "".join(piece if _COLOUR.fullmatch(piece) else _safe(piece) for piece in _PIECES.split(line))
    return f"{source} {text}\x1b[0m"


def _sentence(name: str, message: str, fields: Fields) -> str:
    say = _SENTENCES.get((name, message)) or _SENTENCES.get(("", message))
    if say is not None:
        try:
            return say(name, fields)
        except KeyError:  # other fields than expected: nothing was taken out
            pass
    text = f"{name}: {message}"
    if isinstance(fields.get("error"), str):
        text += f": {fields.pop('error').removeprefix(SOFT_ERROR)}"
    return text


def _below(fields: Fields) -> list[str]:
    """The fields with several lines, out of ``fields``, as blocks."""
    lines: list[str] = []
    hint = fields.pop("hint", "")
    for key in [key for key, value in fields.items() if key != "error" and _has_lines(key, value)]:
        value = fields.pop(key)
        block = value.rstrip("\n").split("\n") if isinstance(value, str) else value
        if key != "trace":
            lines.append(f"{_safe(key)}:")
        for line in block:
            indent = "" if key == "trace" and line.startswith("caused by ") else "  "
            lines += [indent + part for part in _safe_lines(line)]
    if hint:
        lines.append(f"hint: {_safe(str(hint))}")
    for key in _UNSAID:
        fields.pop(key, None)
    return lines


def _has_lines(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value.rstrip("\n") or (key in _BLOCKS and bool(value))
    return key in _BLOCKS and isinstance(value, list) and all(isinstance(line, str) for line in value)


def _facts(fields: Fields) -> str:
    return "".join(f" {_safe(str(key))}={_fact(key, value)}" for key, value in fields.items())


def _fact(key: str, value: Any) -> str:
    if key == "elapsed" and type(value) is int:
        return _took(value).replace(" ", "")
    if isinstance(value, datetime):
        return f"{value.astimezone():%H:%M:%S}"
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        return _safe(value) if value and not re.search(r'[\s"=]', value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple) and value and all(isinstance(item, str | int) for item in value):
        return _safe(",".join(map(str, value)))
    if isinstance(value, dict | list | tuple):
        return _safe(json.dumps(value, ensure_ascii=False, default=str))
    return _safe(str(value))


# -- sentences ---------------------------------------------------------------------------------------------------------


def _request(fields: Fields, paint: Paint) -> str:
    """``GET /path 200 3 ms``."""
    status = fields.pop("status")
    method, uri, elapsed = (fields.pop(key) for key in ("method", "URI", "elapsed"))
    for key in ("remote_address", "host", "user_agent", "referer"):
        fields.pop(key, None)
    return _request_line(method, uri, status, elapsed, fields, paint)


def _long_request(fields: Fields, paint: Paint) -> str:
    status = fields.pop("status")
    method, uri, elapsed = (fields.pop(key) for key in ("method", "URI", "elapsed"))
    fields["bytes"] = fields.get("write_bytes", 0)
    for key in [key for key, value in fields.items() if value == ""]:
        del fields[key]
    return _request_line(method, uri, status, elapsed, fields, paint)


def _request_line(method: str, uri: str, status: int, elapsed: int, fields: Fields, paint: Paint) -> str:
    for key in _REQUEST_UNSAID:
        fields.pop(key, None)
    word = str(status) if status else "(client left)"
    if status >= _FAIL:
        word = paint(f"{_BOLD};{_RED}", word)
    elif status >= _WARN:
        word = paint(_MAGENTA, word)
    return f"{_safe(method)} {_safe(uri)} {word} {_took(elapsed)}"


_REQUESTS: dict[str, Callable[[Fields, Paint], str]] = {"http log": _request, "http access log": _long_request}


def _took(elapsed_ms: int) -> str:
    if elapsed_ms >= 10 * _SECOND_MS:
        return f"{elapsed_ms / _SECOND_MS:.1f} s"
    if elapsed_ms >= _SECOND_MS:
        return f"{elapsed_ms / _SECOND_MS:.2f} s"
    return f"{elapsed_ms} ms" if elapsed_ms else "<1 ms"


def _take(fields: Fields, *keys: str) -> list[Any]:
    """The values of these fields, out of ``fields``.

    Raises:
        KeyError: one is missing; none has been taken out.
    """
    values = [fields[key] for key in keys]
    for key in keys:
        del fields[key]
    return values


def _worker(fields: Fields) -> str:
    """``worker 20073 of pool http, after 3 ms``, as far as it is known."""
    parts = []
    if "pid" in fields:
        parts.append(f"worker {fields.pop('pid')}")
    if fields.get("pool"):
        parts.append(f"{'of ' if parts else ''}pool {fields.pop('pool')}")
    fields.pop("pool", None)
    text = " ".join(parts)
    if isinstance(fields.get("elapsed"), int):
        text += f"{', ' if text else ''}after {_took(fields.pop('elapsed'))}"
    return text


def _failed(_name: str, fields: Fields) -> str:
    method, path, error = _take(fields, "method", "path", "error")
    if "exec_ttl" in fields:  # the error has RoadRunner's words for it
        error = f"it ran longer than exec_ttl ({fields.pop('exec_ttl'):g} s)"
    return f"{method} {path} failed: {str(error).removeprefix(SOFT_ERROR)}\n{_worker(fields)}".rstrip("\n")


def _died(_name: str, fields: Fields) -> str:
    pid, end = _take(fields, "pid", "exit")
    request, error, pool = fields.pop("request", ""), fields.pop("error", ""), fields.pop("pool", "")
    elapsed = fields.pop("elapsed", None)
    after = f" after {_took(elapsed)}" if isinstance(elapsed, int) else ""
    worker = f"worker {pid}{f' of pool {pool}' if pool else ''} died{after}: {end}"
    what = f"{request} failed: " if request else ""
    return f"{what}{error}\n{worker}" if error else f"{what}{worker}"


def _expired(_name: str, fields: Fields) -> str:
    pid, limit = _take(fields, "pid", "exec_ttl")
    request, pool = fields.pop("request", ""), fields.pop("pool", "")
    of_pool = f" of pool {pool}" if pool else ""
    return f"worker {pid}{of_pool} is killed: {request or 'its request'} ran longer than exec_ttl ({limit:g} s)"


def _slow(_name: str, fields: Fields) -> str:
    method, path, elapsed = _take(fields, "method", "path", "elapsed")
    return f"slow request: {method} {path} took {_took(elapsed)}"


def _listening(name: str, fields: Fields) -> str:
    (address,) = _take(fields, "address")
    fields.pop("list of the plugins with RPC methods:", None)
    return f"{name}: listening on {address}"


def _of_worker(did: str) -> Callable[[str, Fields], str]:
    def say(_name: str, fields: Fields) -> str:
        (pid,) = _take(fields, "pid")
        pool = fields.pop("pool", "")
        return f"worker {pid}{f' of pool {pool}' if pool else ''} {did}"

    return say


def _exited(_name: str, fields: Fields) -> str:
    return _of_worker(f"ended by itself: {fields.pop('exit')}")(_name, fields)


def _of_reset(did: str) -> Callable[[str, Fields], str]:
    def say(name: str, fields: Fields) -> str:
        return f"{fields.pop('pool', name)}: reset: {did}"

    return say


# Channel (empty = any) and message.
_SENTENCES: dict[tuple[str, str], Callable[[str, Fields], str]] = {
    ("http", "execute"): _failed,
    ("http", "read stream"): _failed,
    ("http", "request forming error"): _failed,
    ("http", "payload forming error"): _failed,
    ("http", "write response error"): _failed,
    ("http", "write response (chunk) error"): _failed,
    ("http", "slow request"): _slow,
    ("server", "worker died"): _died,
    ("server", "worker is killed: exec_ttl reached"): _expired,
    ("server", "worker is allocated"): _of_worker("started"),
    ("server", "worker destroyed"): _of_worker("stopped"),
    ("server", "worker exited"): _exited,
    ("", "http server was started"): _listening,
    ("rpc", "plugin was started"): _listening,
    ("", "reset signal was received"): _of_reset("new workers start, then the old ones stop"),
    ("", "plugin was successfully reset"): _of_reset("done"),
}


# -- text --------------------------------------------------------------------------------------------------------------


def _safe(text: str) -> str:
    """Text that moves no cursor and changes no setting of the terminal."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _safe_lines(text: str) -> list[str]:
    return [_safe(line) for line in text.replace("\r\n", "\n").split("\n")]
