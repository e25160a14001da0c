"""The PHP library calls a real ``rpc`` over TCP and a unix socket."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
import uvloop

from pyroadrunner.version import ROADRUNNER_VERSION
from support.php import require_php
from support.rpc import FakePlugin, FakePool, Lab, running_rpc, worker

AUTOLOAD = Path(__file__).parents[2] / "php" / "autoload.php"


async def php(code: str, address: str) -> Any:
    """The JSON output of the code, which has an ``$rpc`` connected to the server's ``RR_RPC``."""
    script = f"""
        require {json.dumps(str(AUTOLOAD))};
        use PyRoadRunner\\Rpc\\{{Rpc, RpcException}};
        $rpc = Rpc::create();
        {code}
    """
    process = await asyncio.create_subprocess_exec(
        require_php(),
        "-r",
        script,
        env={**os.environ, "RR_RPC": address},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out, err)
    return json.loads(out)


@pytest.fixture(params=["tcp", "unix"])
def listen(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{tmp_path}/rr.sock"


def test_php_calls_methods_and_gets_results_and_errors(listen: str) -> None:
    async def main() -> None:
        pool = FakePool("http", [worker(7)])
        async with running_rpc(Lab(), listen=listen, plugins=[FakePlugin("http", pool)]) as rpc:
            got = await php(
                """
                $out = [
                    'version' => $rpc->call('rpc.Version', true),
                    'without argument' => $rpc->call('rpc.Version'),
                    'config' => json_decode($rpc->callRaw('rpc.Config'), true)['version'],
                    'workers' => $rpc->call('informer.Workers', 'http')['workers'],
                    'reset' => $rpc->call('resetter.Reset', 'http'),
                    'unicode' => $rpc->call('lab.Echo', "\\u{1F418} \\"quoted\\" /path"),
                    'large' => strlen($rpc->call('lab.Echo', str_repeat('x', 3000000))),
                ];
                foreach (['lab.Refuse' => 'no', 'nope.Nope' => true, 'informer.Workers' => true] as $method => $arg) {
                    try { $rpc->call($method, $arg); } catch (RpcException $e) { $out[$method] = $e->getMessage(); }
                }
                $out['afterwards'] = $rpc->call('lab.Later', 'x');
                echo json_encode($out);
                """,
                str(rpc.address),
            )
        assert got.pop("workers")[0]["CPUPercent"] == 0.571
        assert got == {
            "version": ROADRUNNER_VERSION,
            "without argument": ROADRUNNER_VERSION,
            "config": "3",
            "reset": True,
            "unicode": '\U0001f418 "quoted" /path',
            "large": 3_000_000,
            "lab.Refuse": "no",
            "nope.Nope": "rpc: can't find service nope.Nope",
            "informer.Workers": "invalid character 't' looking for beginning of value",
            "afterwards": "x",
        }
        assert pool.resets == 1

    uvloop.run(main())


def test_php_processes_call_concurrently() -> None:
    async def main() -> None:
        async with running_rpc(Lab()) as rpc:
            code = '$n = 0; for ($i = 0; $i < 500; $i++) { $n += $rpc->call(\'lab.Echo\', "$i") === "$i"; } echo $n;'
            assert await asyncio.gather(*(php(code, str(rpc.address)) for _ in range(4))) == [500] * 4

    uvloop.run(main())
