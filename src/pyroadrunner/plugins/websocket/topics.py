"""Settings of topics by their name. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pyroadrunner.bounded_cache import BoundedCache
from pyroadrunner.plugins.websocket.config import TopicConfig

MAX_NAME = 200  # characters of a topic
_DEFAULT = TopicConfig(match=[])


class Topics:
    """Finds the settings of a topic: those of the first entry that matches."""

    def __init__(self, configs: Sequence[TopicConfig]) -> None:
        self.become(configs)

    def become(self, configs: Sequence[TopicConfig]) -> None:
        """Replace the settings."""
        self._rules = [(pattern(config.match), config) for config in configs]
        self._known = BoundedCache(self._find, entries=4096, max_bytes=1 << 20, size=lambda name, _: len(name) + 64)

    def of(self, topic: str) -> TopicConfig:
        """The settings of a topic."""
        return self._known[topic] if self._rules else _DEFAULT

    def name_of(self, topic: str) -> str:
        """The first pattern of the entry that matches a topic; ``other`` = no entry does."""
        config = self.of(topic)
        return config.match[0] if config.match else "other"

    def _find(self, topic: str) -> TopicConfig:
        return next((config for pattern, config in self._rules if pattern.fullmatch(topic)), _DEFAULT)


def pattern(globs: Sequence[str]) -> re.Pattern[str]:
    """Matches names that one of the globs matches; a star stands for any text."""
    return re.compile("|".join(f"(?:{'.*'.join(map(re.escape, glob.split('*')))})" for glob in globs), re.DOTALL)
