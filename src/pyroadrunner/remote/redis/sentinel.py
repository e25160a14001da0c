"""Find the master through the sentinels, with redis-py."""

from __future__ import annotations

import asyncio

from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from pyroadrunner.remote.connection import Unreachable
from pyroadrunner.remote.redis.options import connection_options
from pyroadrunner.remote.redis.settings import Address, RedisSettings


class Sentinels:
    """The sentinels of a master. All are asked concurrently; the first reply wins, so a hanging one does no harm."""

    def __init__(self, settings: RedisSettings) -> None:
        options = {**connection_options(settings), "password": settings.sentinel_password or None}
        self._name = settings.master
        self._each = [Sentinel([address], sentinel_kwargs=options) for address in settings.addresses]  # type: ignore[no-untyped-call]

    async def master(self) -> Address:
        """The current address of the master.

        Raises:
            Unreachable: no sentinel replies, or none knows the master.
        """
        asked = [asyncio.create_task(sentinel.discover_master(self._name)) for sentinel in self._each]
        errors: list[str] = []
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    host, port = await answer
                except (RedisError, OSError) as error:
                    errors.append(str(error))
                else:
                    return str(host), int(port)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise Unreachable(f"no sentinel knows the master {self._name!r}: {'; '.join(errors)}")

    async def close(self) -> None:
        for sentinel in self._each:
            for client in sentinel.sentinels:
                await client.aclose()
