"""Each key of the section is reloadable or needs a restart."""

from __future__ import annotations

from pyroadrunner.config.section import fields_of
from pyroadrunner.plugins.websocket.config import WebSocketConfig
from pyroadrunner.plugins.websocket.reloadable import RELOADABLE_KEYS, RESTART_KEYS
from pyroadrunner.workers.config import PoolConfig


def test_every_key_is_reloadable_or_needs_a_restart() -> None:
    keys = {key for key in fields_of(WebSocketConfig) if key != "pool"}
    assert keys | {f"pool.{key}" for key in fields_of(PoolConfig)} == RELOADABLE_KEYS | RESTART_KEYS
    assert not RELOADABLE_KEYS & RESTART_KEYS
