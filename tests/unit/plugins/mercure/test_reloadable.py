"""Each key of the section is reloadable or needs a restart."""

from __future__ import annotations

from pyroadrunner.config.section import fields_of
from pyroadrunner.plugins.mercure.config import HistoryConfig, MercureConfig
from pyroadrunner.plugins.mercure.reloadable import RELOADABLE_KEYS, RESTART_KEYS


def test_every_key_is_reloadable_or_needs_a_restart() -> None:
    keys = {key for key in fields_of(MercureConfig) if key != "history"}
    assert keys | {f"history.{key}" for key in fields_of(HistoryConfig)} == RELOADABLE_KEYS | RESTART_KEYS
    assert not RELOADABLE_KEYS & RESTART_KEYS
