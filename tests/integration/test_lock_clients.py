"""Named locks from the command line, from Python and from PHP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyroadrunner.sdk.lock import AsyncLocks, LockNotGiven, Locks
from pyroadrunner.sdk.rpc import AsyncRpcClient, RpcClient, Unreachable
from support.php import require_php
from support.programs import PATIENCE
from support.server import Server, rr

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("locks"), {}) as server:
        yield server


def test_python_holds_a_lock_for_a_block(server: Server) -> None:
    with RpcClient(server.rpc) as client:
        locks = Locks(client)
        with locks.hold("py", ttl=60) as key:
            assert locks.exists("py", key)
            assert locks.lock("py") is None
            assert locks.update_ttl("py", key, 30)
            with pytest.raises(LockNotGiven, match=r"'py' was not given within 0\.01 s"), locks.hold("py", wait=0.01):
                pass
        assert not locks.exists("py")
        assert locks.lock("shared", id="1", read=True) == "1"
        assert locks.lock("shared", id="2", read=True) == "2"
        assert locks.force_release("shared")
        assert not locks.release("shared", "1")


def test_a_cancelled_wait_releases_a_granted_lock(server: Server) -> None:
    async def scene() -> None:
        async with AsyncRpcClient(server.rpc) as client:
            locks = AsyncLocks(client)
            async with locks.hold("async") as key:
                task = asyncio.create_task(locks.lock("async", id="late", wait=60))
                await asyncio.sleep(0)
                assert await locks.exists("async", key)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert len(locks._late) == 1
            await asyncio.gather(*locks._late)
            assert not await locks.exists("async")

    asyncio.run(scene())


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """A server that accepts and never replies, until the end of the ``with``."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("id", ["", "mine"])
def test_a_call_that_times_out_releases_a_granted_lock(
    id: str,  # noqa: A002
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        async with AsyncRpcClient(server.rpc) as client:
            locks = AsyncLocks(client)
            with hanging(server), pytest.raises(Unreachable, match=r"did not answer within 0\.15 s"):
                await locks.lock("late", id=id, wait=0.05)
            await asyncio.gather(*locks._late)
            assert not await locks.exists("late")

    monkeypatch.setattr("pyroadrunner.sdk.lock.TIMEOUT", 0.1)
    asyncio.run(scene())


def test_a_call_that_times_out_keeps_earlier_locks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with AsyncRpcClient(server.rpc) as client:
            locks = AsyncLocks(client)
            assert await locks.lock("twice", id="me") == "me"
            monkeypatch.setattr("pyroadrunner.sdk.lock.TIMEOUT", 0.1)
            with hanging(server), pytest.raises(Unreachable):
                await locks.lock("twice", id="me")
            await asyncio.gather(*locks._late)
            assert await locks.exists("twice", "me")

    asyncio.run(scene())


def test_a_cancelled_call_releases_the_lock_though_the_connection_is_closed(tmp_path: Path) -> None:
    """The server has granted the lock, but its client has disconnected."""

    async def scene(server: Server) -> None:
        async with AsyncRpcClient(server.rpc) as client, AsyncRpcClient(server.rpc) as other:
            locks = AsyncLocks(client)
            await locks.exists("gone")  # connected
            with hanging(server):
                call = asyncio.create_task(locks.lock("gone"))
                for _ in range(3):  # the task starts; its call starts; the request is written
                    await asyncio.sleep(0)
                assert "waiting=1" in repr(client)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                await client.close()
            await asyncio.to_thread(server.wait_for, "lock was taken")
            async with asyncio.timeout(PATIENCE):
                while await AsyncLocks(other).exists("gone"):
                    pass

    logs = {"level": "debug", "mode": "production", "output": ["stderr"]}
    with Server(tmp_path, {"logs": logs}) as server:
        asyncio.run(scene(server))


def test_php_locks(server: Server) -> None:
    code = f"""
        require {json.dumps(str(ROOT / "php" / "autoload.php"))};
        $locks = PyRoadRunner\\Lock\\Lock::create();
        $id = $locks->lock('php', ttl: 60);
        $out = [$locks->exists('php', $id), $locks->lock('php', wait: 0.01), $locks->lockRead('php'),
            $locks->updateTtl('php', $id, 5), $locks->release('php', 'other'), $locks->release('php', $id),
            $locks->exists('php'), $locks->lockRead('php', 'r'), $locks->forceRelease('php')];
        echo json_encode($out);
    """
    done = subprocess.run(
        [require_php(), "-r", code], env={**os.environ, "RR_RPC": server.rpc}, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == [True, None, None, True, False, True, False, "r", True]


def test_operators_see_and_release_locks(tmp_path: Path) -> None:
    with Server(tmp_path, {}) as server, RpcClient(server.rpc) as client:
        assert rr("lock", "list", cwd=tmp_path).stdout.strip() == "no locks"
        assert Locks(client).lock("stuck", id="worker-1\x1b[2J", ttl=60) is not None
        shown = rr("lock", "list", cwd=tmp_path).stdout
        assert "stuck" in shown
        assert "exclusive" in shown
        assert "\x1b" not in shown
        (view,) = json.loads(rr("lock", "list", "--json", cwd=tmp_path).stdout)
        assert view["resource"] == "stuck"
        done = rr("lock", "release", "stuck", "other", cwd=tmp_path)
        assert (done.code, "the lock is not held: other" in done.stderr) == (1, True)
        assert not Locks(client).exists("stuck")
        assert rr("lock", "release", cwd=tmp_path).code != 0


def test_a_worker_reads_its_token_as_the_page_says(server: Server, tmp_path: Path) -> None:
    example = next(
        block
        for block in re.findall(r"```php\n(.*?)```", (ROOT / "docs" / "lock.md").read_text(), re.S)
        if "token" in block
    )
    script = tmp_path / "token.php"
    script.write_text(f"<?php require {json.dumps(str(ROOT / 'php' / 'autoload.php'))};\n{example}")
    with RpcClient(server.rpc) as client:
        locks = Locks(client)
        with locks.hold("report") as key:
            (view,) = (lock for lock in client.call("lock.List") if lock["resource"] == "report")
            done = subprocess.run(
                [require_php(), str(script)], env={**os.environ, "RR_RPC": server.rpc}, capture_output=True, timeout=30
            )
    assert done.stdout.decode() == f"{key} {view['holders'][0]['token']}\n"
