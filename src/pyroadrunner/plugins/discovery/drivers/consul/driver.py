"""A Consul agent as a registry.

Each address of a server is a service instance of the cluster's name, so Consul's own tools find it: as
``http.NAME.service.consul`` in its DNS, by the tag ``http`` in its API. ``rr_...`` in the metadata says which instances
belong to one server.

Each instance has two TTL checks. One says that the server lives: when it was killed, this check becomes critical, and
the server is gone for all readers of passing instances. Consul deletes it after ``deregister_after``, a minute at
least; servers with the same agent do it earlier (``_delete_dead``). The other check is the health. In one check, Consul
would delete a live server that is ill for a minute, and would not tell readers that an ill server has died: it
publishes another output of the same state only after minutes (``check_update_interval``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from pyroadrunner.plugins.discovery.drivers.client import HttpClient, breathe
from pyroadrunner.plugins.discovery.drivers.consul.config import ConsulConfig
from pyroadrunner.plugins.discovery.drivers.consul.entries import (
    HEALTH_TTL,
    Entry,
    Listing,
    Value,
    alive_update,
    bodies,
    health_update,
)
from pyroadrunner.plugins.discovery.drivers.contract import Registrar, RegistryError, Server, Settings

_DEAD_FOR = 2.0  # times `ttl`: then a dead instance is deleted
_DELETED_AT_ONCE = 20


class ConsulRegistry(Registrar):
    """Registers with an agent.

    Args:
        settings: see :class:`Settings`.
    """

    def __init__(self, config: ConsulConfig, settings: Settings) -> None:
        self._config = config
        self._settings = settings
        headers = {"X-Consul-Token": config.token} if config.token else {}
        self._http = HttpClient([config.address], config.tls.context, settings.timeout, headers)
        self._own: list[str] = []  # ids of the registered service instances
        self._said = ("", "", 0.0)  # the health that Consul knows, and since when
        self._body = b""  # the last list, and whom it names
        self._servers: list[Server] = []
        self._dead: dict[str, float] = {}  # id of an instance -> the loop's time when it was first seen dead

    def __repr__(self) -> str:
        return f"ConsulRegistry({self._http.url})"

    async def register(self, server: Server) -> None:
        made = bodies(server, self._settings.name, self._settings.ttl, self._config.deregister_after)
        ids = [body["ID"] for body in made]
        await self._deregister(one for one in self._own if one not in ids)
        self._own = ids
        for body in made:
            path = "/v1/agent/service/register"
            query = {"replace-existing-checks": "true"}
            (await self._http.request("PUT", path, query=query, body=msgspec.json.encode(body))).expect(200)
        self._said = ("", "", 0.0)

    async def keep(self, server: Server) -> bool:
        now = asyncio.get_running_loop().time()
        health = (server.health, server.reason)
        changed = health != self._said[:2] or now - self._said[2] > HEALTH_TTL / 2
        for one in self._own:
            updates = [alive_update(one), health_update(one, server)] if changed else [alive_update(one)]
            for check, body in updates:
                if not await self._update(check, body):
                    return False
        if changed:
            self._said = (*health, now)
        return bool(self._own)

    async def withdraw(self) -> None:
        own, self._own = self._own, []
        await self._deregister(own)

    async def servers(self) -> Sequence[Server]:
        path = f"/v1/health/service/{quote(self._settings.name, safe='')}"
        query = {"dc": self._config.datacenter} if self._config.datacenter else {}
        answer = (await self._http.request("GET", path, query=query)).expect(200)
        if answer.body != self._body:
            await self._read(await answer.items(Entry))
            self._body = answer.body
        await self._delete_dead()
        return self._servers

    async def put(self, key: str, value: bytes) -> None:
        (await self._http.request("PUT", self._path(key), body=value)).expect(200)

    async def values(self, prefix: str) -> Mapping[str, bytes]:
        answer = await self._http.request("GET", self._path(prefix), query={"recurse": "true"})
        if answer.status == 404:
            return {}
        base = len(self._key(""))
        return {one.Key[base:]: _decoded(one.Value) for one in await answer.expect(200).items(Value)}

    async def delete(self, prefix: str) -> None:
        (await self._http.request("DELETE", self._path(prefix), query={"recurse": "true"})).expect(200)

    async def close(self) -> None:
        await self._http.close()

    # inside

    def _key(self, key: str) -> str:
        return f"pyroadrunner/{self._settings.name}/{key}"

    def _path(self, key: str) -> str:
        return f"/v1/kv/{quote(self._key(key))}"

    async def _update(self, check: str, body: Mapping[str, str]) -> bool:
        """Update a check; ``False`` = Consul does not know it."""
        path = f"/v1/agent/check/update/{quote(check, safe='')}"
        answer = await self._http.request("PUT", path, body=msgspec.json.encode(body))
        if answer.status == 404 or (answer.status == 500 and b"nknown check" in answer.body):
            return False
        answer.expect(200)
        return True

    async def _deregister(self, ids: Iterable[str]) -> None:
        for one in ids:
            answer = await self._http.request("PUT", f"/v1/agent/service/deregister/{quote(one, safe='')}")
            if answer.status != 404 and b"nknown service" not in answer.body:
                answer.expect(200)

    async def _read(self, found: Sequence[Entry]) -> None:
        listing, nodes, own = Listing(), set(), set(self._own)
        for number, entry in enumerate(found, 1):
            listing.add(entry)
            if entry.Service.ID in own:
                nodes.add(entry.Node.Node)
            await breathe(number)
        servers = []
        for number, server in enumerate(listing.servers(), 1):
            servers.append(server)
            await breathe(number)
        self._servers = servers
        now = asyncio.get_running_loop().time()
        self._dead = {one: self._dead.get(one, now) for node, one in listing.dead if node in nodes}

    async def _delete_dead(self) -> None:
        """Delete what killed servers left on our agent. Other agents do not know us, and do it themselves."""
        if not self._dead:
            return
        now = asyncio.get_running_loop().time()
        late = [one for one, since in self._dead.items() if now - since >= (_DEAD_FOR - 1.0) * self._settings.ttl]
        for one in late[:_DELETED_AT_ONCE]:
            del self._dead[one]
            try:
                await self._deregister([one])
            except RegistryError:
                return  # Consul does it later


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value or "", validate=True)
    except (binascii.Error, ValueError):
        return b""
