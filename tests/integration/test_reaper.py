"""PID 1 reaps zombies: with real children."""

from __future__ import annotations

import os

from pyroadrunner.container.reaper import reap


def dead_child() -> int:
    """An exited child that has not been reaped."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_orphans_are_reaped() -> None:
    pids = {dead_child(), dead_child()}
    assert pids <= set(reap(lambda pid: pid not in pids))


def test_the_status_of_our_own_child_is_left_for_its_owner() -> None:
    pid = dead_child()
    assert pid not in reap(lambda _: True)
    assert os.waitpid(pid, 0) == (pid, 0)


def test_without_children_there_is_nothing_to_do() -> None:
    assert reap(lambda _: True) == []
