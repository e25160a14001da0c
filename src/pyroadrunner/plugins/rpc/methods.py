"""Names of methods -> methods ready to be called. Codecs are made once, with the first call to a service: most servers
use few of the services, and messages of the others would cost start time and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyroadrunner.contracts import RpcMethod
from pyroadrunner.goridge.rpc import Call, split_method
from pyroadrunner.plugins.rpc.arguments import no_codec, readers
from pyroadrunner.plugins.rpc.errors import UnknownMethod, UnknownService
from pyroadrunner.plugins.rpc.results import writers


class Method:
    """One method of one service.

    Attributes:
        name: ``service.Method``.
        call: takes the decoded argument; returns the result, or an awaitable of it.
        readers: codec bit to what reads the argument, ``writers`` to what encodes the result; for those who can't
            afford :meth:`argument` and :meth:`result`.
        cancel_on_disconnect: whether calls of it end with their client.
    """

    __slots__ = ("call", "cancel_on_disconnect", "name", "readers", "writers")

    def __init__(self, name: str, method: RpcMethod) -> None:
        self.name = name
        self.call: Callable[[Any], Any] = method.call
        self.cancel_on_disconnect = method.cancel_on_disconnect
        self.readers = readers(method)
        self.writers = writers(method)

    def __repr__(self) -> str:
        return f"Method({self.name})"

    def argument(self, call: Call) -> Any:
        """The decoded argument of a call.

        Raises:
            BadArgument: its bytes are not what this method takes, or its codec is not known.
        """
        return self.readers.get(call.codec, no_codec)(call.body)

    def result(self, call: Call, value: Any) -> bytes:
        """A result in the codec of a call whose argument could be read.

        Raises:
            BadResult: it has no form in this codec.
        """
        return self.writers[call.codec](value)


class Methods:
    """All methods of all services.

    Args:
        services: by name, what gives the methods of each by name; asked once.
    """

    def __init__(self, services: Mapping[str, Callable[[], Mapping[str, RpcMethod]]]) -> None:
        self.services = frozenset(services)
        self._unread = dict(services)
        self._methods: dict[bytes, Method] = {}

    def __repr__(self) -> str:
        return f"Methods({sorted(self.services)}, {len(self._methods)} methods read)"

    def find(self, name: bytes) -> Method:
        """The method of that name.

        Raises:
            IllFormedMethod: the name has no dot.
            UnknownService, UnknownMethod.
        """
        method = self._methods.get(name)
        if method is not None:
            return method
        text = name.decode("utf-8", "replace")
        service, _ = split_method(text)
        give = self._unread.pop(service, None)
        if give is not None:
            for each, one in give().items():
                self._methods[f"{service}.{each}".encode()] = Method(f"{service}.{each}", one)
            return self.find(name)
        raise UnknownMethod(text) if service in self.services else UnknownService(text)
