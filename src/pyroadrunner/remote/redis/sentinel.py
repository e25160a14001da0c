"""Who is the master? The sentinels know; redis-py asks them."""

from __future__ import annotations

from redis.asyncio.sentinel import Sentinel
from redis.exceptions import RedisError

from pyroadrunner.remote.link import Unreachable
from pyroadrunner.remote.redis.options import connection_options
from pyroadrunner.remote.redis.settings import Address, RedisSettings


class Sentinels:
    """The sentinels of a master; the first that answers is believed."""

    def __init__(self, settings: RedisSettings) -> None:
        options = {**connection_options(settings), "password": settings.sentinel_password or None}
        self._name = settings.master
        self._sentinel = Sentinel(settings.addresses, sentinel_kwargs=options)  # type: ignore[no-untyped-call]

    async def master(self) -> Address:
        """Where the master is now.

        Raises:
            Unreachable: no sentinel answers, or none knows it.
        """
        try:
            host, port = await self._sentinel.discover_master(self._name)
        except (RedisError, OSError) as error:
            raise Unreachable(f"the sentinels name no master {self._name!r}: {error}") from error
        return str(host), int(port)

    async def close(self) -> None:
        for sentinel in self._sentinel.sentinels:
            await sentinel.aclose()
