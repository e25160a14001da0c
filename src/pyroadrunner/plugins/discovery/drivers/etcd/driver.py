"""etcd as a registry: a key for each instance, with a lease that ends when the server does not renew it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import msgspec

from pyroadrunner.plugins.discovery.drivers.client import Answer, HttpClient, decoded
from pyroadrunner.plugins.discovery.drivers.contract import Registrar, RegistryError, RegistryRefused, Server, Settings
from pyroadrunner.plugins.discovery.drivers.etcd.config import EtcdConfig
from pyroadrunner.plugins.discovery.drivers.local_host import local_host

_VALUE_TTL = 120  # seconds
_UNAUTHENTICATED = 16  # gRPC status
_REFUSED = frozenset((3, 7, 9))  # invalid argument (a wrong password), permission denied, authentication not enabled

Json = dict[str, Any]


class Entry(msgspec.Struct, kw_only=True):
    """A key and its value. JSON has both in base64, which msgspec decodes."""

    key: bytes
    value: bytes = b""


class Range(msgspec.Struct, kw_only=True):
    """The answer of ``kv/range``; without keys etcd's gateway leaves ``kvs`` out."""

    kvs: msgspec.Raw = msgspec.Raw(b"[]")


class Lease(msgspec.Struct, kw_only=True):
    """The answer of ``lease/grant``."""

    id: str = msgspec.field(name="ID")


class Renewed(msgspec.Struct, kw_only=True):
    """Inside of :class:`Renewal`."""

    ttl: str = msgspec.field(name="TTL", default="")


class Renewal(msgspec.Struct, kw_only=True):
    """The answer of ``lease/keepalive``."""

    result: Renewed


class Login(msgspec.Struct, kw_only=True):
    """The answer of ``auth/authenticate``."""

    token: str


class EtcdRegistry(Registrar):
    """Registers in a cluster of etcd.

    Args:
        settings: see :class:`Settings`.
    """

    def __init__(self, config: EtcdConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        self._http = HttpClient(config.addresses, config.tls.context, settings.timeout)
        self._token = ""
        self._lease = ""
        self._written: Server | None = None  # the entry, as the caller gave it
        self._host = ""
        self._kvs = b""  # the last list, and whom it names
        self._servers: list[Server] = []

    def __repr__(self) -> str:
        return f"EtcdRegistry({self._http.url})"

    async def register(self, server: Server) -> None:
        if not self._lease:
            self._lease = await self._grant(ceil(self._settings.ttl))
        await self._write(server)

    async def keep(self, server: Server) -> bool:
        if not self._lease or not await self._renew():
            self._lease = ""
            return False
        if server != self._written:
            await self._write(server)
        return True

    async def withdraw(self) -> None:
        lease, self._lease = self._lease, ""
        if lease:
            try:
                await self._call("/v3/lease/revoke", {"ID": lease})
            except RegistryError as error:
                if "not found" not in str(error):  # it has ended already
                    raise

    async def servers(self) -> Sequence[Server]:
        found = (await self._call("/v3/kv/range", self._range("servers/"))).decode(Range).kvs
        if bytes(found) != self._kvs:
            entries = await self._entries(found)
            self._servers = await decoded([one.value for one in entries], Server, self._http.url, others=True)
            self._kvs = bytes(found)
        return self._servers

    async def put(self, key: str, value: bytes) -> None:
        lease = await self._grant(_VALUE_TTL)
        await self._call("/v3/kv/put", {"key": self._key(key), "value": _coded(value), "lease": lease})

    async def values(self, prefix: str) -> Mapping[str, bytes]:
        found = (await self._call("/v3/kv/range", self._range(prefix))).decode(Range).kvs
        base = len(self._text(""))
        return {one.key.decode("utf-8", "replace")[base:]: one.value for one in await self._entries(found)}

    async def delete(self, prefix: str) -> None:
        await self._call("/v3/kv/deleterange", self._range(prefix))

    async def close(self) -> None:
        await self._http.close()

    # inside

    async def _write(self, server: Server) -> None:
        value = msgspec.json.encode(await self._with_hosts(server))
        key = self._key(f"servers/{server.id}/{server.instance}")
        try:
            await self._call("/v3/kv/put", {"key": key, "value": _coded(value), "lease": self._lease})
        except RegistryError as error:
            if "lease not found" in str(error):  # etcd was replaced by an empty one
                self._lease = ""
            raise
        self._written = server

    async def _with_hosts(self, server: Server) -> Server:
        """The server with an address of this machine where it listens on all interfaces."""
        if all(endpoint.host for endpoint in server.endpoints):
            return server
        try:
            self._host = self._host or await local_host(self._http.url)
        except OSError as error:
            raise RegistryError(f"{self._http.url}: {error}") from error
        if not self._host:
            raise RegistryRefused("this machine has no address on a network: set discovery.host")
        endpoints = [msgspec.structs.replace(one, host=one.host or self._host) for one in server.endpoints]
        return msgspec.structs.replace(server, endpoints=endpoints)

    async def _grant(self, ttl: int) -> str:
        return (await self._call("/v3/lease/grant", {"TTL": str(ttl)})).decode(Lease).id

    async def _renew(self) -> bool:
        """Renew the lease; ``False`` if it has ended. etcd answers with a TTL of 0, which its gateway leaves out."""
        return bool((await self._call("/v3/lease/keepalive", {"ID": self._lease})).decode(Renewal).result.ttl)

    async def _entries(self, found: msgspec.Raw) -> list[Entry]:
        return await Answer(self._http.url, 200, bytes(found)).items(Entry)

    async def _call(self, path: str, body: Json) -> Answer:
        """Call a method; log in first, and once more if the token has expired."""
        if not self._config.username:
            return _result(await self._post(path, body, ""))
        renewed = not self._token
        if renewed:
            self._token = await self._authenticate()
        answer = await self._post(path, body, self._token)
        if not renewed and _code(answer) == _UNAUTHENTICATED:
            self._token = await self._authenticate()
            answer = await self._post(path, body, self._token)
        return _result(answer)

    async def _authenticate(self) -> str:
        login = {"name": self._config.username, "password": self._config.password}
        return _result(await self._post("/v3/auth/authenticate", login, "")).decode(Login).token

    async def _post(self, path: str, body: Json, token: str) -> Answer:
        headers = {"Authorization": token} if token else None
        return await self._http.request("POST", path, body=msgspec.json.encode(body), headers=headers)

    def _text(self, key: str) -> str:
        return f"{self._config.prefix.rstrip('/')}/{self._settings.name}/{key}"

    def _key(self, key: str) -> str:
        return _coded(self._text(key).encode())

    def _range(self, prefix: str) -> Json:
        """All keys with a prefix: up to the first key that is greater than all of them."""
        first = self._text(prefix).encode()
        return {"key": _coded(first), "range_end": _coded(first[:-1] + bytes([first[-1] + 1]))}


def _result(answer: Answer) -> Answer:
    if answer.status == 200:
        return answer
    code = _code(answer)
    error = _error(answer)
    text = str(error.get("message") or error.get("error") or answer.text())
    kind = RegistryRefused if code in _REFUSED or code == _UNAUTHENTICATED else RegistryError
    raise kind(f"{answer.url}: {text or f'status {answer.status}'}")


def _code(answer: Answer) -> int:
    code = _error(answer).get("code")
    return code if answer.status != 200 and isinstance(code, int) else 0


def _error(answer: Answer) -> Json:
    try:
        return answer.decode(Json)
    except RegistryError:
        return {}


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()
