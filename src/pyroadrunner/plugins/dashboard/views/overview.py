"""The overview: what the server is, and its figures of the last hour."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Sequence
from typing import Any

from pyroadrunner.contracts import HasPools
from pyroadrunner.plugins.dashboard.sampler import Sampler
from pyroadrunner.version import ROADRUNNER_VERSION, __version__


class Overview:
    """The figures of the sampler."""

    def __init__(self, sampler: Sampler, plugins: Sequence[HasPools]) -> None:
        self._sampler = sampler
        self._plugins = plugins
        self._began = time.time()

    def server(self) -> dict[str, Any]:
        """What does not change."""
        return {
            "version": __version__,
            "roadrunner": ROADRUNNER_VERSION,
            "python": platform.python_version(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "began": self._began,
        }

    async def first(self) -> dict[str, Any]:
        """The whole history, for a page that has just been opened."""
        return {**await self.now(), "fine": self._sampler.fine.columns(), "coarse": self._sampler.coarse.columns()}

    async def now(self) -> dict[str, Any]:
        """The newest point, and each pool."""
        pools = []
        for plugin in self._plugins:
            for name, pool in plugin.pools().items():
                stats = await pool.stats()
                pools.append(
                    {
                        "name": name,
                        "workers": sum(stats.states.values()),
                        "free": stats.free,
                        "queued": stats.queued,
                        "waiting": round(stats.waiting, 3),
                        "calls": stats.calls,
                        "failed": stats.failed,
                    }
                )
        return {"point": self._sampler.fine.last(), "coarse_point": self._sampler.coarse.last(), "pools": pools}
