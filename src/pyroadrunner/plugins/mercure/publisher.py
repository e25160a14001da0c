"""Publishes updates of tokens and of workers."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.contracts import Log
from pyroadrunner.plugins.mercure.ids import new_id
from pyroadrunner.plugins.mercure.publication import Rules
from pyroadrunner.plugins.mercure.stores.contract import Store
from pyroadrunner.plugins.mercure.update import Update
from pyroadrunner.remote.errors import StoreError

log = Log("mercure")


class Publisher:
    """Checks updates and gives them to the store.

    Attributes:
        published, failed: updates since the start.
    """

    def __init__(self, rules: Rules, store: Store) -> None:
        self.rules = rules
        self._store = store
        self.published = 0
        self.failed = 0
        self._failing = False

    async def publish(
        self,
        topics: Sequence[str],
        data: str,
        *,
        private: bool = False,
        identity: str = "",
        kind: str = "",
        retry: int = 0,
        modern: bool = False,
    ) -> str:
        """Publish an update; returns its id.

        Args:
            modern: whether the rules of 1.0 hold.

        Raises:
            BadUpdate: it is not valid.
            StoreError: it was not published.
        """
        self.rules.check(topics, identity, kind, modern=modern)
        update = Update(topics, data, identity=identity or new_id(), private=private, kind=kind, retry=retry)
        return await self.publish_checked(update)

    async def publish_checked(self, update: Update) -> str:
        """The same, of an update of the hub itself."""
        try:
            await self._store.append(update)
        except StoreError as error:
            self.failed += 1
            if not self._failing:
                log.error("updates can't be published", error=str(error))
            self._failing = True
            raise
        if self._failing:
            log.info("updates can be published again")
        self._failing = False
        self.published += 1
        return update.id
