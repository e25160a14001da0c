"""Look up methods by name. Codecs are created with the first call to a service: most servers use few services, and the
messages of the others would cost start time and memory."""

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
        readers: codec bits to functions that decode the argument; ``writers`` to those that encode the result. For
            callers that avoid the cost of :meth:`argument` and :meth:`result`.
        cancel_on_disconnect: whether its calls are cancelled when their client disconnects.
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
        """Decode the argument of a call.

        Raises:
            BadArgument: the argument is invalid, or the codec is unknown.
        """
        return self.readers.get(call.codec, no_codec)(call.body)

    def result(self, call: Call, value: Any) -> bytes:
        """Encode a result in the codec of the call; its argument must have been decoded.

        Raises:
            BadResult: the result can't be encoded in this codec.
        """
        return self.writers[call.codec](value)


class Methods:
    """All methods of all services.

    Args:
        services: by name, functions that return the methods by name; called once each.
    """

    def __init__(self, services: Mapping[str, Callable[[], Mapping[str, RpcMethod]]]) -> None:
        self.services = frozenset(services)
        self._unread = dict(services)
        self._methods: dict[bytes, Method] = {}

    def __repr__(self) -> str:
        return f"Methods({sorted(self.services)}, {len(self._methods)} methods read)"

    def find(self, name: bytes) -> Method:
        """Find a method by name.

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
