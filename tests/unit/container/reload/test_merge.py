"""Only live keys of a section get their new values."""

from __future__ import annotations

from pyroadrunner.container.reload.merge import merged
from pyroadrunner.plugins.http.config import HttpConfig
from pyroadrunner.workers.config import PoolConfig, SupervisorConfig

OLD = HttpConfig(address=":1", access_logs=False, pool=PoolConfig(num_workers=1, debug=False))
NEW = HttpConfig(
    address=":2",
    access_logs=True,
    pool=PoolConfig(num_workers=2, debug=True, supervisor=SupervisorConfig(exec_ttl=3.0)),
)


def test_keys_that_are_not_live_stay() -> None:
    section = merged(OLD, NEW, ["access_logs", "pool.num_workers", "pool.supervisor"])
    assert section == HttpConfig(
        address=":1",
        access_logs=True,
        pool=PoolConfig(num_workers=2, debug=False, supervisor=SupervisorConfig(exec_ttl=3.0)),
    )
    assert OLD.pool.num_workers == 1


def test_a_part_of_a_missing_map_is_left_out() -> None:
    assert merged(OLD, NEW, ["pool.supervisor.exec_ttl"]).pool.supervisor is None


def test_the_empty_key_is_the_whole_section() -> None:
    assert merged(OLD, NEW, [""]) == NEW
