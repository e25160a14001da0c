"""The ``server`` section: relays, environment, user and group, ``on_init``; with real PHP workers."""

from __future__ import annotations

import grp
import logging
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pyroadrunner.contracts import WorkerPool
from pyroadrunner.goridge.errors import RelayError
from pyroadrunner.plugins.server.config import OnInitConfig, ServerConfig
from pyroadrunner.plugins.server.on_init import OnInitFailed
from pyroadrunner.plugins.server.php_library import php_library
from pyroadrunner.plugins.server.plugin import ServerPlugin
from pyroadrunner.version import ROADRUNNER_VERSION
from pyroadrunner.workers.child_process import UnknownUser
from pyroadrunner.workers.payload import Codec, Payload
from support.php import require_php
from support.pools import ANY_WORKER, pool_config, run
from support.ports import free_port


class Whole:
    """The effective config, as passed by the container."""

    def __init__(self, **sections: Any) -> None:
        self._sections = sections

    def as_dict(self) -> dict[str, Any]:
        return self._sections

    def section(self, name: str) -> msgspec.Struct | None:
        return None


@asynccontextmanager
async def serving(
    config: ServerConfig, pool: dict[str, Any] | None = None, **sections: Any
) -> AsyncIterator[WorkerPool]:
    plugin = ServerPlugin(config, Whole(**sections))
    await plugin.start()
    try:
        made = await plugin.create_pool("http", pool_config(num_workers=2, **(pool or {})), {"RR_MODE": "http"})
        try:
            yield made
        finally:
            await made.destroy(0.0)
    finally:
        await plugin.stop(0.0)


def server(**keys: Any) -> ServerConfig:
    return msgspec.structs.replace(ServerConfig(command=[require_php(), str(ANY_WORKER)]), **keys)


async def text(pool: WorkerPool, body: str) -> str:
    return (await pool.exec(Payload(b"c", body.encode(), Codec.RAW))).body.decode()


@pytest.mark.parametrize("relay", ["pipes", "tcp://127.0.0.1:0", "unix://{tmp}/relay.sock"])
def test_workers_answer_over_every_relay_and_are_replaced_there(relay: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(server(relay=relay.format(tmp=tmp_path))) as pool:
            assert await text(pool, "echo hello") == "hello"
            before = {info.pid for info in await pool.workers()}
            await pool.reset()
            assert not before & {info.pid for info in await pool.workers()}
            assert await text(pool, "size " + "x" * 1_000_000) == "1000000"
        assert not (tmp_path / "relay.sock").exists()

    if relay.endswith(":0"):
        relay = f"tcp://127.0.0.1:{free_port()}"
    run(main())


def test_an_invalid_relay_address_is_refused_with_a_message() -> None:
    async def main() -> None:
        with pytest.raises(RelayError, match="invalid DSN"):
            async with serving(server(relay="127.0.0.1:7000")):
                pass

    run(main())


def test_workers_get_mode_relay_rpc_version_and_the_configs_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "world")

    async def main() -> None:
        rpc = {"listen": "tcp://127.0.0.1:7001"}
        async with serving(server(env={"greeting": "hello $WHO"}), rpc=rpc) as pool:
            names = ("RR_MODE", "RR_RELAY", "RR_RPC", "RR_VERSION", "RR_PHP_LIBRARY", "GREETING", "WHO")
            assert [await text(pool, f"env {name}") for name in names] == [
                "http",
                "pipes",
                "tcp://127.0.0.1:7001",
                ROADRUNNER_VERSION,
                php_library(),
                "hello world",
                "world",
            ]

    run(main())


def test_a_pool_may_have_its_own_command(tmp_path: Path) -> None:
    async def main() -> None:
        script = tmp_path / "own.php"
        script.write_text(f"<?php putenv('OWN=yes'); require '{ANY_WORKER}';")
        async with serving(server(), {"command": ["php", str(script)]}) as pool:
            assert await text(pool, "env OWN") == "yes"

    run(main())


def test_debug_starts_a_process_for_each_request() -> None:
    async def main() -> None:
        async with serving(server(), {"debug": True, "supervisor": {"exec_ttl": "300ms"}}) as pool:
            assert [await text(pool, "served") for _ in range(3)] == ["1", "1", "1"]
            for bad in ("error no", "exit 1", "loop"):
                with pytest.raises(Exception, match=r"sync_worker|worker_exec"):
                    await text(pool, bad)
            reply = await pool.exec(Payload(b"c", b"stream 3", Codec.RAW))
            assert reply.stream is not None
            assert [chunk.body async for chunk in reply.stream] == [b"chunk1;", b"chunk2;"]

    run(main())


@pytest.mark.skipif(os.getuid() != 0, reason="changing the user needs root")
def test_workers_run_as_user_and_group() -> None:
    nobody, group = pwd.getpwnam("nobody"), grp.getgrnam("daemon")

    async def main(folder: str) -> None:
        worker = [require_php(), f"{folder}/tests/support/workers/any.php"]
        async with serving(server(user="nobody", command=worker)) as pool:
            assert (await text(pool, "uid")).startswith(f"{nobody.pw_uid}:{nobody.pw_gid}:")
        async with serving(
            server(user="nobody", group="daemon", relay=f"unix://{folder}/r.sock", command=worker)
        ) as pool:
            assert (await text(pool, "uid")).startswith(f"{nobody.pw_uid}:{group.gr_gid}:")

    # pytest's folders are not readable by other users, and the checkout may not be either.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (Path(folder) / "tests/support/workers").mkdir(parents=True)
        shutil.copy(ANY_WORKER, f"{folder}/tests/support/workers")
        shutil.copytree(ANY_WORKER.parents[3] / "php", f"{folder}/php")
        run(main(folder))


@pytest.mark.parametrize("who", [{"user": "no-such-user"}, {"group": "no-such-group"}])
def test_an_unknown_user_or_group_is_refused_with_a_message(who: dict[str, str]) -> None:
    async def main() -> None:
        with pytest.raises(UnknownUser, match=r"there is no .* `no-such-"):
            async with serving(server(**who)):
                pass

    run(main())


def test_on_init_runs_before_the_first_worker_and_its_output_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = OnInitConfig(command=["sh", "-c", f"echo made ready; echo $WHO > {tmp_path}/ready"], env={"who": "me"})

    async def main() -> None:
        async with serving(server(on_init=once)):
            assert (tmp_path / "ready").read_text() == "me\n"

    logger = logging.getLogger("rr")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    try:
        run(main())
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(logging.NOTSET)
    assert "made ready" in caplog.messages


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["sh", "-c", "exit 3"], "exit code 3"),
        (["no-such-program"], "no such file"),
        (["sleep", "60"], "killed by timeout"),
    ],
)
def test_a_failing_on_init_prevents_the_start_only_if_configured(command: list[str], message: str) -> None:
    init = OnInitConfig(command=command, exec_timeout=0.3)

    async def main() -> None:
        async with serving(server(on_init=init)) as pool:
            assert await text(pool, "echo on") == "on"
        with pytest.raises(OnInitFailed, match=message):
            async with serving(server(on_init=msgspec.structs.replace(init, exit_on_error=True))):
                pass

    run(main())
