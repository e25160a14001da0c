"""Keys that verify tokens: one of the config, or the JSON Web Key Set of an address or a file (RFC 7517)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import jwt
from jwt import PyJWK, PyJWKSet

from pyroadrunner.contracts import Log
from pyroadrunner.plugins.mercure.errors import BadKey

_FETCH_TIMEOUT = 10.0  # seconds
_REFRESH = 600.0  # seconds
_RETRY = 10.0  # seconds between two attempts after a failure, or for tokens with an unknown key
_MAX_SET = 1 << 20  # bytes

log = Log("mercure")

Candidate = tuple[Any, Sequence[str]]
"""A key for PyJWT, and the algorithms that it may be used with."""


class Keys(Protocol):
    """Finds keys.

    Attributes:
        on_change: called when keys have changed.
    """

    on_change: Callable[[], None] | None

    def candidates(self, header: Mapping[str, Any]) -> Sequence[Candidate]:
        """The keys that may have signed a token, by its unverified header."""

    async def start(self) -> None: ...

    def stop(self) -> None: ...


class StaticKey:
    """One key, with one algorithm.

    Raises:
        BadKey
    """

    def __init__(self, key: str, algorithm: str, setting: str) -> None:
        self.on_change: Callable[[], None] | None = None
        try:
            prepared = jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        except NotImplementedError as missing:
            raise BadKey(setting, f"{algorithm} needs the package cryptography") from missing
        except Exception as wrong:  # PyJWT and cryptography have many classes for it; none shows the key
            raise BadKey(setting, f"not a key for {algorithm} ({type(wrong).__name__})") from wrong
        self._candidates = [(prepared, [algorithm])]

    def candidates(self, header: Mapping[str, Any]) -> Sequence[Candidate]:
        return self._candidates

    async def start(self) -> None: ...

    def stop(self) -> None: ...


class KeySet:
    """The keys of an address; refreshed every ten minutes, and when a token names an unknown key.

    Args:
        url: ``http``, ``https`` or ``file``.

    Raises (by :meth:`start`):
        BadKey: a file can't be used. An address that does not answer is asked again and again.
    """

    def __init__(self, url: str, setting: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.on_change: Callable[[], None] | None = None
        self._url = url
        self._setting = setting
        self._clock = clock
        self._keys: list[PyJWK] = []
        self._raw = b""
        self._fetched = -_RETRY
        self._failed = False
        self._wanted = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"KeySet({self._setting}, {len(self._keys)} keys)"

    def candidates(self, header: Mapping[str, Any]) -> Sequence[Candidate]:
        name = header.get("kid")
        found = [key for key in self._keys if name is None or key.key_id is None or key.key_id == name]
        if not found and self._clock() - self._fetched >= _RETRY:
            self._wanted.set()
        return [(key.key, [key.algorithm_name]) for key in found]

    async def start(self) -> None:
        await self._refresh(fatal=urlsplit(self._url).scheme == "file")
        self._refreshing = asyncio.create_task(self._keep_fresh(), name=f"mercure {self._setting}")

    def stop(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()

    async def _keep_fresh(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_RETRY if self._failed else _REFRESH):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self._refresh(fatal=False)

    async def _refresh(self, *, fatal: bool) -> None:
        self._fetched = self._clock()
        try:
            raw = await asyncio.to_thread(_load, self._url)
            keys = PyJWKSet.from_json(raw.decode()).keys if raw != self._raw else self._keys
        except Exception as error:  # of the network, of the file, of JSON, of PyJWT
            if fatal:
                raise BadKey(self._setting, str(error)) from error
            if not self._failed:
                log.error("the key set can't be read; trying again", setting=self._setting, error=str(error))
            self._failed = True
            return
        if self._failed:
            log.info("the key set can be read again", setting=self._setting)
        self._failed = False
        if raw != self._raw:
            self._raw, self._keys = raw, keys
            if self.on_change is not None:
                self.on_change()


def _load(url: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).read_bytes()
    request = Request(url, headers={"Accept": "application/jwk-set+json, application/json"})
    with urlopen(request, timeout=_FETCH_TIMEOUT) as response:
        raw: bytes = response.read(_MAX_SET + 1)
    if len(raw) > _MAX_SET:
        raise ValueError("the key set is too large")
    return raw
