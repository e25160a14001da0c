"""Names of services and methods in ``.proto`` files; replaced by ``schema``."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_PACKAGE = re.compile(r"^\s*package\s+([\w.]+)\s*;", re.M)
_SERVICE = re.compile(r"\bservice\s+(\w+)\s*\{")
_RPC = re.compile(r"\brpc\s+(\w+)\s*\(\s*(stream\s+)?[\w.]+\s*\)\s*returns\s*\(\s*(stream\s+)?[\w.]+\s*\)")


class Rpc(NamedTuple):
    service: str
    name: str
    client_streaming: bool
    server_streaming: bool


def read(entries: Iterable[str]) -> Iterator[Rpc]:
    for entry in entries:
        for path in glob.glob(entry, recursive=True) or [entry]:
            with open(path) as file:
                text = re.sub(r"//[^\n]*|/\*.*?\*/", "", file.read(), flags=re.S)
            package = _PACKAGE.search(text)
            parts = _SERVICE.split(text)
            for name, body in zip(parts[1::2], parts[2::2], strict=True):
                full = f"{package[1]}.{name}" if package else name
                for rpc in _RPC.finditer(body):
                    yield Rpc(full, rpc[1], bool(rpc[2]), bool(rpc[3]))
