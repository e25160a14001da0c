"""The services that the server offers to clients. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A method of a service.

    Attributes:
        input_type, output_type: names of messages; as the file writes them, so perhaps without their package.
    """

    name: str
    input_type: str
    output_type: str
    client_streaming: bool = False
    server_streaming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service.

    Attributes:
        name: with its package, such as ``pkg.Echo``; without one if the file has none.
        methods: by name.
    """

    name: str
    methods: Mapping[str, Method]


class Services(Mapping[str, Service]):
    """Services by their full names. Of several with one name the first counts."""

    def __init__(self, services: Iterable[Service] = ()) -> None:
        by_name: dict[str, Service] = {}
        for service in services:
            by_name.setdefault(service.name, service)
        self._by_name = MappingProxyType(by_name)

    def __repr__(self) -> str:
        return f"Services({', '.join(self._by_name)})"

    def __getitem__(self, name: str) -> Service:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)
