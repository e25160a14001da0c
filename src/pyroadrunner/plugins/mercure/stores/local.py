"""Subscriptions of the only server that uses a store."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.plugins.mercure.stores.contract import Subscription


class LocalSubscriptions:
    """A part of a store."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}

    async def register(self, subscriptions: Sequence[Subscription]) -> None:
        self._subscriptions.update((one.id, one) for one in subscriptions)

    async def unregister(self, subscriptions: Sequence[Subscription]) -> None:
        for one in subscriptions:
            self._subscriptions.pop(one.id, None)

    async def subscriptions(self) -> Sequence[Subscription]:
        return list(self._subscriptions.values())
