"""A file as a registry.

    servers:
      - id: web-1
        addresses: {http: "10.0.0.5:8080", metrics: "10.0.0.5:2112"}
        tags: [eu]

It is read in a thread, and only after it has changed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from pyroadrunner.config.yaml_text import TextFault, parse_yaml
from pyroadrunner.net.address import InvalidAddress, TcpAddress, parse_address
from pyroadrunner.plugins.discovery.drivers.contract import Endpoint, Registry, RegistryError, Server, Settings
from pyroadrunner.plugins.discovery.drivers.file.config import FileConfig

_LARGEST = 16 << 20  # bytes

Scalar = str | int | float  # YAML reads `version: 1.2` as a number


class FileServer(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A server in the file."""

    id: Scalar
    addresses: dict[str, str] = {}
    version: Scalar = ""
    tags: list[Scalar] = []
    metadata: dict[str, Scalar] = {}


class Document(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    servers: list[FileServer] = []


class FileRegistry(Registry):
    """Reads a file."""

    def __init__(self, config: FileConfig, settings: Settings) -> None:
        self._path = config.path
        self._seen: tuple[int, int, int] | None = None
        self._servers: Sequence[Server] = ()

    def __repr__(self) -> str:
        return f"FileRegistry({self._path!r})"

    async def servers(self) -> Sequence[Server]:
        return await asyncio.to_thread(self._read)

    async def close(self) -> None:
        pass

    def _read(self) -> Sequence[Server]:
        try:
            with open(self._path, "rb") as file:
                facts = os.fstat(file.fileno())
                seen = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                if seen != self._seen:
                    data = file.read(_LARGEST + 1)
                    if len(data) > _LARGEST:
                        raise RegistryError(f"{self._path}: larger than {_LARGEST >> 20} MB")
                    self._servers = parse(data, self._path)
                    self._seen = seen
        except OSError as error:
            raise RegistryError(f"{self._path}: {(error.strerror or str(error)).lower()}") from error
        return self._servers


def parse(data: bytes, path: str) -> list[Server]:
    """The servers of a file. Pure.

    Raises:
        RegistryError: it has another form.
    """
    try:
        if path.endswith(".json"):
            document = msgspec.json.decode(data, type=Document)
        else:
            document = msgspec.convert(_yaml(data), Document, strict=False)
        return [_server(one) for one in document.servers]
    except TextFault as fault:
        line = f":{fault.line}" if fault.line else ""
        raise RegistryError(f"{path}{line}: {fault.problem}") from fault
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidAddress, RecursionError) as wrong:
        raise RegistryError(f"{path}: {wrong}") from wrong


def _yaml(data: bytes) -> Any:
    found, _ = parse_yaml(data.decode())
    return {} if found is None else found


def _server(one: FileServer) -> Server:
    return Server(
        id=str(one.id),
        version=str(one.version),
        tags=[str(tag) for tag in one.tags],
        metadata={key: str(value) for key, value in one.metadata.items()},
        endpoints=[_endpoint(kind, text) for kind, text in one.addresses.items()],
    )


def _endpoint(kind: str, text: str) -> Endpoint:
    address = parse_address(text, default_scheme="tcp")
    if not isinstance(address, TcpAddress) or not address.host:
        raise InvalidAddress(text)
    return Endpoint(kind=kind, host=address.host, port=address.port)
