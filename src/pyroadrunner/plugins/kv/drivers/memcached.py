"""A storage on memcached servers. Rendezvous hashing assigns each key to a server: when a server is added or removed,
only its share of the keys moves.

memcached has times in whole seconds (times are rounded up), can't report when an item expires, and its counters do not
go below 0.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from pyroadrunner.plugins.kv.config import MemcachedConfig
from pyroadrunner.plugins.kv.drivers.memcached_protocol import Reply, key_bytes, store
from pyroadrunner.plugins.kv.drivers.memcached_server import MemcachedServer
from pyroadrunner.plugins.kv.store import MAX_COUNT, Item, StoreStats
from pyroadrunner.remote.errors import StoreError

PORT = 11211
AT_ONCE = -1  # an exptime in the past: expire immediately
COUNT_TRIES = 10  # for a counter that other clients create and delete meanwhile


class MemcachedStore:
    """A storage on memcached servers."""

    operations = "memcached_plugin"

    def __init__(self, config: MemcachedConfig) -> None:
        self._servers = [MemcachedServer(*_address(text), config.timeout) for text in config.addr]
        self._salts = [blake2b(server.address.encode(), digest_size=16).digest() for server in self._servers]

    def __repr__(self) -> str:
        return f"MemcachedStore({', '.join(server.address for server in self._servers)})"

    async def start(self) -> None:
        """Does nothing: the first call connects."""

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def has(self, keys: Sequence[str]) -> Sequence[str]:
        return list(await self.mget(keys))

    async def mget(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        wanted = {key_bytes(key): key for key in keys}
        asked = [server.ask(b"get %b\r\n" % b" ".join(share)) for server, share in self._shares(wanted).items()]
        found: dict[str, bytes] = {}
        for (reply,) in await asyncio.gather(*asked):
            found |= {wanted[key]: value for key, value in _values(reply).items()}
        return found

    def ttl(self, keys: Sequence[str]) -> Mapping[str, int | None]:
        """Not supported by memcached; PHP's package recognizes the text of the error."""
        raise StoreError("operation not supported: memcached does not tell when an item expires")

    async def set(self, items: Sequence[Item]) -> None:
        for reply in (await self._store(b"set", items)).values():
            _expect(reply, b"STORED")

    async def set_absent(self, items: Sequence[Item]) -> Sequence[str]:
        replies = await self._store(b"add", items)
        return [key for key, reply in replies.items() if _expect(reply, b"STORED", b"NOT_STORED") == b"STORED"]

    async def mexpire(self, times: Mapping[str, int]) -> None:
        now = _now()
        commands = {key_bytes(key): _exptime(ms, now) for key, ms in times.items()}
        replies = await self._each(commands, lambda key: b"touch %b %d\r\n" % (key, commands[key]))
        if b"NOT_FOUND" in [_expect(reply, b"TOUCHED", b"NOT_FOUND") for reply in replies.values()]:
            raise StoreError("memcache: cache miss")  # as in RoadRunner; the other keys have their new time

    async def delete(self, keys: Sequence[str]) -> None:
        replies = await self._each([key_bytes(key) for key in keys], lambda key: b"delete %b\r\n" % key)
        for reply in replies.values():
            _expect(reply, b"DELETED", b"NOT_FOUND")

    async def clear(self) -> None:
        for (reply,) in await asyncio.gather(*(server.ask(b"flush_all\r\n") for server in self._servers)):
            _expect(reply, b"OK")

    async def count(self, key: str, by: int, expires: int | None) -> int:
        name = key_bytes(key)
        server = self._server(name)
        command = b"%b %b %d\r\n" % (b"incr" if by >= 0 else b"decr", name, abs(by))
        for _ in range(COUNT_TRIES):
            (reply,) = await server.ask(command)
            if isinstance(reply, bytes) and reply.isdigit():
                return _in_range(int(reply))
            _expect(reply, b"NOT_FOUND")
            first = max(by, 0)
            (reply,) = await server.ask(store(b"add", name, b"%d" % first, _exptime(expires, _now())))
            if _expect(reply, b"STORED", b"NOT_STORED") == b"STORED":
                return first
        raise StoreError(f"other clients created and deleted the counter {COUNT_TRIES} times")

    async def stats(self) -> StoreStats:
        replies = await asyncio.gather(*(server.ask(b"stats\r\n") for server in self._servers))
        return StoreStats(items=sum(int(_values(reply).get(b"curr_items", 0)) for (reply,) in replies))

    # inside

    def _server(self, key: bytes) -> MemcachedServer:
        if len(self._servers) == 1:
            return self._servers[0]
        weights = [blake2b(key, digest_size=8, key=salt).digest() for salt in self._salts]
        return self._servers[max(range(len(weights)), key=weights.__getitem__)]

    def _shares(self, keys: Sequence[bytes] | Mapping[bytes, object]) -> Mapping[MemcachedServer, list[bytes]]:
        shares: dict[MemcachedServer, list[bytes]] = {}
        for key in keys:
            shares.setdefault(self._server(key), []).append(key)
        return shares

    async def _store(self, command: bytes, items: Sequence[Item]) -> dict[str, Reply]:
        now = _now()
        wanted = {key_bytes(item.key): item for item in items}

        def question(key: bytes) -> bytes:
            return store(command, key, wanted[key].value, _exptime(wanted[key].expires, now))

        return {wanted[key].key: reply for key, reply in (await self._each(wanted, question)).items()}

    async def _each(
        self, keys: Sequence[bytes] | Mapping[bytes, object], question: Callable[[bytes], bytes]
    ) -> Mapping[bytes, Reply]:
        """Send a command for each key; return the replies."""
        shares = self._shares(keys)
        asked = [server.ask(b"".join(map(question, share)), len(share)) for server, share in shares.items()]
        replies = await asyncio.gather(*asked)
        return {
            key: reply
            for share, answers in zip(shares.values(), replies, strict=True)
            for key, reply in zip(share, answers, strict=True)
        }


def _now() -> int:
    return time.time_ns() // 1_000_000


def _exptime(expires: int | None, now: int) -> int:
    """The exptime for memcached: 0 = never, else unix time in seconds."""
    if expires is None:
        return 0
    return AT_ONCE if expires <= now else -(-expires // 1000)


def _values(reply: Reply) -> Mapping[bytes, bytes]:
    if isinstance(reply, bytes):
        raise StoreError(reply.decode("utf-8", "replace"))
    return reply


def _expect(reply: Reply, *expected: bytes) -> bytes:
    """Check that the reply is one of the expected ones, and return it.

    Raises:
        StoreError: with the server's message.
    """
    if isinstance(reply, bytes) and reply in expected:
        return reply
    raise StoreError(reply.decode("utf-8", "replace") if isinstance(reply, bytes) else "unexpected reply")


def _in_range(count: int) -> int:
    if count > MAX_COUNT:
        raise StoreError("increment or decrement would overflow")
    return count


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, PORT
    if not port.isdecimal():
        raise StoreError(f"{text!r} is not a valid address; write host:port")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def build(config: MemcachedConfig) -> MemcachedStore:
    return MemcachedStore(config)
