"""An HTTP client for registries: aiohttp, with bounds on all that a hostile server controls.

A response is read up to ``MAX_ANSWER``, never decompressed, never followed to another place. One request has
``timeout`` seconds in all. (aiohttp and not httpx: docs/design/2026-11-30-discovery.md.)
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import msgspec

from pyroadrunner.plugins.discovery.drivers.contract import RegistryError, RegistryRefused

MAX_ANSWER = 16 << 20  # bytes; 10,000 servers take 8 MB

_ITEMS_AT_ONCE = 200  # a millisecond

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response.

    Attributes:
        url: of the server that answered, for messages.
    """

    url: str
    status: int
    body: bytes

    def decode(self, kind: type[T]) -> T:
        """The body.

        Raises:
            RegistryError: it is something else.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise RegistryError(f"{self.url}: not an answer of this registry: {wrong}") from wrong

    async def items(self, kind: type[T]) -> list[T]:
        """The items of the body, a list. Requests are served meanwhile, however long it is.

        Raises:
            RegistryError: it is something else.
        """
        return await decoded(self.decode(list[msgspec.Raw]), kind, self.url)

    def text(self) -> str:
        """The beginning of the body on one line, for messages."""
        return " ".join(self.body[:200].decode("utf-8", "replace").split())

    def expect(self, *statuses: int) -> Answer:
        """The answer itself if its status is one of these.

        Raises:
            RegistryRefused: 401 or 403.
            RegistryError: any other status.
        """
        if self.status in statuses:
            return self
        kind = RegistryRefused if self.status in (401, 403) else RegistryError
        text = self.text()
        raise kind(f"{self.url}: status {self.status}{f': {text}' if text else ''}")


async def decoded(items: Sequence[bytes | msgspec.Raw], kind: type[T], url: str, *, others: bool = False) -> list[T]:
    """Decode items, and let the event loop turn now and then.

    Args:
        url: of the registry, for messages.
        others: leave out what is something else, instead of raising.

    Raises:
        RegistryError: one of them is something else.
    """
    found = []
    for number, item in enumerate(items, 1):
        try:
            found.append(msgspec.json.decode(item, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            if not others:
                raise RegistryError(f"{url}: not an answer of this registry: {wrong}") from wrong
        await breathe(number)
    return found


async def breathe(number: int) -> None:
    """Called for each item of a long list: let the event loop turn now and then."""
    if number % _ITEMS_AT_ONCE == 0:
        await asyncio.sleep(0)


class HttpClient:
    """Sends requests to the first of some equal servers that answers.

    Args:
        urls: ``http://host:port`` or ``https://host:port``.
        context: makes the TLS context of a new session; reads files.
        timeout: seconds for a request, including the connect.
        headers: of every request.
    """

    def __init__(
        self,
        urls: Sequence[str],
        context: Callable[[], ssl.SSLContext],
        timeout: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._context = context
        self._timeout = timeout
        self._headers = dict(headers or {})
        self._session: aiohttp.ClientSession | None = None
        self._current = 0

    @property
    def url(self) -> str:
        """The server that is used now."""
        return self._urls[self._current]

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request. After a failure the next one goes to the next server.

        Raises:
            RegistryError: no answer, or one that is too large.
        """
        url = self.url
        try:
            return await self._send(url, method, path, query, body, headers)
        except TimeoutError as error:
            self._fail(url)
            raise RegistryError(f"{url}: no answer within {self._timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, AssertionError) as error:
            # The last two: the session was closed meanwhile.
            self._fail(url)
            if isinstance(error, aiohttp.ClientSSLError):
                await self.close()  # the next attempt reads the files again: they may have been renewed
            raise RegistryError(f"{url}: {_reason(error)}") from error
        except RegistryError:
            self._fail(url)
            raise

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send(
        self,
        url: str,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:
        if self._session is None:
            tls = url.startswith("https:")
            connector = aiohttp.TCPConnector(limit=8, ssl=self._context() if tls else True)
            headers_of_all = {"Accept-Encoding": "identity", **self._headers}
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers=headers_of_all,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),  # the other one keeps all that a server sends
            )
        request: dict[str, Any] = {"params": query, "data": body, "headers": headers, "allow_redirects": False}
        timeout = aiohttp.ClientTimeout(total=self._timeout)
        async with self._session.request(method, url + path, timeout=timeout, **request) as response:
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > MAX_ANSWER:
                    response.close()  # the connection can't be used again
                    raise RegistryError(f"{url}: the answer is larger than {MAX_ANSWER >> 20} MB")
            return Answer(url, response.status, bytes(content))

    def _fail(self, url: str) -> None:
        if url == self.url:
            self._current = (self._current + 1) % len(self._urls)


def _reason(error: Exception) -> str:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno).lower()  # the text of the event loop differs
    if isinstance(cause, OSError) and cause.strerror:  # a name that can't be resolved
        return cause.strerror.lower()
    return str(error) or type(error).__name__
