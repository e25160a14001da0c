"""The keys of a pool that a reload applies."""

from __future__ import annotations

import msgspec

from pyroadrunner.workers.config import PoolConfig
from pyroadrunner.workers.reloadable import POOL_KEYS, POOL_RESTART_KEYS


def test_a_reload_applies_a_key_of_a_pool_or_asks_for_a_restart() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(PoolConfig)}
    assert keys == POOL_KEYS | POOL_RESTART_KEYS
    assert not POOL_KEYS & POOL_RESTART_KEYS
