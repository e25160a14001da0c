"""The health of this server, for the registry: that of ``/health``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pyroadrunner.contracts import HasStatus
from pyroadrunner.plugins.discovery.server import CRITICAL, PASSING

_PATIENCE = 2.0  # seconds for a plugin


async def health_of(plugins: Sequence[HasStatus]) -> tuple[str, str]:
    """``passing`` or ``critical``, and why. A plugin that raises or does not answer is not healthy."""
    asked = list(plugins)
    answers = await asyncio.gather(*(_healthy(plugin) for plugin in asked))
    ill = sorted(plugin.name for plugin, good in zip(asked, answers, strict=True) if not good)
    return (CRITICAL, f"not healthy: {', '.join(ill)}") if ill else (PASSING, "")


async def _healthy(plugin: HasStatus) -> bool:
    try:
        return await asyncio.wait_for(plugin.healthy(), _PATIENCE)
    except Exception:  # a bug of the plugin, which `status` logs; here it must only not end the task
        return False
