"""One open store for all pipelines of the server that use the same database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from pyroadrunner.plugins.jobs.drivers.sql.store import Store


class _Use:
    """A store and how many pipelines use it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.users = 0
        self.opening = asyncio.Lock()
        self.opened = False


class SharedStores:
    """Open stores by key."""

    def __init__(self) -> None:
        self._current: dict[Hashable, _Use] = {}  # those that new users get
        self._uses: dict[Store, _Use] = {}  # also broken ones that still have users

    def __repr__(self) -> str:
        return f"SharedStores({list(self._uses)})"

    async def acquire(self, key: Hashable, make: Callable[[], Store]) -> Store:
        """The open store of a key. The first user opens it; when it is broken, the next user opens another one.

        Raises:
            BrokerError, BrokerRefused
        """
        use = self._current.get(key)
        if use is None or use.store.broken or not use.users:
            use = _Use(make())
            self._current[key] = self._uses[use.store] = use
        use.users += 1
        try:
            async with use.opening:
                if not use.opened:
                    await use.store.open()
                    use.opened = True
        except BaseException:
            await self.release(use.store)
            raise
        return use.store

    async def release(self, store: Store) -> None:
        """A user is done; the last one closes the store. Never raises."""
        use = self._uses[store]
        use.users -= 1
        if not use.users:
            del self._uses[store]
            self._current = {key: current for key, current in self._current.items() if current is not use}
            await store.close()
