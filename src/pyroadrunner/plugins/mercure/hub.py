"""The subscribers of this server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pyroadrunner.plugins.mercure.grants import Grant
from pyroadrunner.plugins.mercure.selectors import Matcher, Selector
from pyroadrunner.plugins.mercure.stores.contract import Store
from pyroadrunner.plugins.mercure.update import Update

_Key = TypeVar("_Key", str, Selector)


class Subscriber(Protocol):
    """A connected subscriber.

    Attributes:
        id: unique.
        selectors: what it follows.
        grant: the rights of its token.
    """

    id: str
    selectors: Sequence[Selector]
    grant: Grant

    def offer(self, update: Update) -> None:
        """Give it an update that it may receive. Must not raise and must not wait."""

    def reset(self) -> None:
        """The store counts from 1 again."""


class Hub:
    """Gives updates to subscribers. An update costs a look-up for each of its topics, and a match for each different
    pattern; subscribers that follow the same pattern share it.

    Attributes:
        subscribers: by id.
        opened, delivered: how many there were, and updates that were given to them.
    """

    def __init__(self, store: Store, matcher: Matcher) -> None:
        self.store = store
        self.matcher = matcher
        self.subscribers: dict[str, Subscriber] = {}
        self._exact: dict[str, dict[str, Subscriber]] = {}
        self._patterns: dict[Selector, dict[str, Subscriber]] = {}
        self.opened = 0
        self.delivered = 0

    def __repr__(self) -> str:
        return f"Hub(subscribers={len(self.subscribers)}, store={self.store})"

    @property
    def selectors(self) -> int:
        """Different selectors that are followed."""
        return len(self._exact) + len(self._patterns)

    def add(self, subscriber: Subscriber) -> None:
        """Give it updates from now on."""
        self.opened += 1
        self.subscribers[subscriber.id] = subscriber
        for selector in subscriber.selectors:
            if selector.exact and not selector.everything:
                self._exact.setdefault(selector.text, {})[subscriber.id] = subscriber
            else:
                self._patterns.setdefault(selector, {})[subscriber.id] = subscriber

    def remove(self, subscriber: Subscriber) -> None:
        """Idempotent."""
        if self.subscribers.pop(subscriber.id, None) is None:
            return
        for selector in subscriber.selectors:
            if selector.exact and not selector.everything:
                _discard(self._exact, selector.text, subscriber.id)
            else:
                _discard(self._patterns, selector, subscriber.id)

    def deliver(self, update: Update) -> None:
        """Give an update to those that follow it and may receive it; called by the store."""
        chosen: dict[str, Subscriber] = {}
        for topic in update.topics:
            found = self._exact.get(topic)
            if found:
                chosen.update(found)
        for selector, followers in self._patterns.items():
            if any(self.matcher.matches(selector, topic) for topic in update.topics):
                chosen.update(followers)
        allowed: dict[int, bool] = {}
        for subscriber in chosen.values():
            if update.private:
                grant = subscriber.grant
                may = allowed.get(id(grant))
                if may is None:
                    may = allowed[id(grant)] = self.matcher.any_matches(grant.subscribe, update.topics)
                if not may:
                    continue
            subscriber.offer(update)
            self.delivered += 1

    def wants(self, subscriber: Subscriber, update: Update) -> bool:
        """Whether a subscriber follows an update and may receive it."""
        if not self.matcher.any_matches(subscriber.selectors, update.topics):
            return False
        return not update.private or self.matcher.any_matches(subscriber.grant.subscribe, update.topics)

    def reset(self) -> None:
        """The store counts from 1 again."""
        for subscriber in self.subscribers.values():
            subscriber.reset()


def _discard(groups: dict[_Key, dict[str, Subscriber]], key: _Key, subscriber: str) -> None:
    followers = groups.get(key)
    if followers is not None:
        followers.pop(subscriber, None)
        if not followers:
            del groups[key]
