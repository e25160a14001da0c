"""PHP calls storages: with the library's `Kv`, and in the example."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from support.kv import KvClient
from support.php import require_php
from support.server import Server, free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("kv"), {"kv": {"cache": {"driver": "memory"}}}) as server:
        yield server


@pytest.fixture
def kv(server: Server) -> Iterator[KvClient]:
    with KvClient(server.rpc, "cache") as client:
        client.clear()
        yield client


def php(server: Server, code: str) -> Any:
    """The value of ``$out`` at the end of the code, which has a ``$kv``."""
    script = f"""
        require {json.dumps(str(ROOT / "php" / "autoload.php"))};
        $kv = PyRoadRunner\\Kv\\Kv::create('cache');
        function refused(callable $call): string {{
            try {{ $call(); }} catch (PyRoadRunner\\Rpc\\RpcException $e) {{ return $e->getMessage(); }}
            return 'taken';
        }}
        {code}
        echo json_encode($out, JSON_THROW_ON_ERROR);
    """
    done = subprocess.run(
        [require_php(), "-d", "display_errors=stderr", "-r", script],
        env={**os.environ, "RR_RPC": server.rpc},
        capture_output=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b""), (done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_values_are_set_got_and_deleted(server: Server, kv: KvClient) -> None:
    out = php(
        server,
        r"""
        $all = implode('', array_map(chr(...), range(0, 255)));
        $kv->set('binary', $all);
        $kv->setMultiple(['a' => '1', 'empty' => '', '7' => 'number']);
        $large = str_repeat('x', 300000);
        $kv->set('large', $large);
        $out = [
            'binary' => $kv->get('binary') === $all,
            'large' => $kv->get('large') === $large,
            'some' => $kv->getMultiple(['a', 'empty', 'missing', '7']),
            'missing' => $kv->get('missing'),
            'has' => [$kv->has('a'), $kv->has('missing')],
        ];
        $kv->delete('a');
        $kv->deleteMultiple(['empty', 'missing']);
        $out['deleted'] = $kv->getMultiple(['a', 'empty', '7']);
        $kv->clear();
        $out['cleared'] = $kv->has('7');
        """,
    )
    assert out == {
        "binary": True,
        "large": True,
        "some": {"a": "1", "empty": "", "7": "number"},
        "missing": None,
        "has": [True, False],
        "deleted": {"7": "number"},
        "cleared": False,
    }


def test_lifetimes_are_seconds_with_fractions_or_intervals(server: Server, kv: KvClient) -> None:
    before = time.time()
    out = php(
        server,
        """
        $kv->set('seconds', 'v', 100);
        $kv->set('interval', 'v', new DateInterval('PT1M'));
        $kv->set('forever', 'v');
        $kv->set('gone', 'v');
        $kv->set('gone', 'v', 0);
        $kv->set('later', 'v');
        $kv->expire('later', 200);
        $kv->set('short', 'v', 0.2);
        for ($until = microtime(true) + 10; $kv->has('short') && microtime(true) < $until;) usleep(1000);
        $out = ['gone' => $kv->has('gone'), 'short' => $kv->has('short')];
        foreach (['seconds', 'interval', 'forever', 'later', 'missing'] as $key) {
            $out[$key] = $kv->expires($key)?->getTimestamp();
        }
        """,
    )
    after = time.time()
    assert (out.pop("gone"), out.pop("short"), out.pop("forever"), out.pop("missing")) == (False, False, None, None)
    assert before + 99 <= out["seconds"] <= after + 100
    assert before + 59 <= out["interval"] <= after + 60
    assert before + 199 <= out["later"] <= after + 200


def test_counters_and_values_that_are_set_once(server: Server, kv: KvClient) -> None:
    out = php(
        server,
        """
        $out = [
            $kv->increment('c'), $kv->increment('c', 41), $kv->decrement('c', 42), $kv->decrement('c', 3),
            $kv->increment('min', PHP_INT_MIN), $kv->increment('max', PHP_INT_MAX),
            $kv->increment('timed', ttl: 100), $kv->expires('timed') !== null,
            $kv->add('lock', 'me', 10), $kv->add('lock', 'you', 10), $kv->get('lock'),
        ];
        """,
    )
    assert out == [1, 42, 0, -3, -(2**63), 2**63 - 1, 1, True, True, False, "me"]


def test_a_refusal_of_the_server_is_an_exception_with_its_text(server: Server, kv: KvClient) -> None:
    out = php(
        server,
        """
        $kv->set('text', 'x');
        $out = [
            refused(fn () => $kv->get(' ')),
            refused(fn () => $kv->increment('text')),
            refused(fn () => PyRoadRunner\\Kv\\Kv::create('nope')->get('k')),
            $kv->get('text'),
        ];
        """,
    )
    assert out == [
        "rpc_mget: key can't be empty string:\n\tin_memory_plugin_mget",
        "rpc_incr:\n\tin_memory_plugin_incr: value is not an integer or out of range",
        "rpc_mget: no such storage: nope",
        "x",
    ]


def test_the_example_counts_visits_and_shares_a_report(tmp_path: Path) -> None:
    require_php()
    example = ROOT / "examples" / "kv"
    config = (example / ".rr.yaml").read_text()
    rpc, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    config = config.replace("127.0.0.1:6001", rpc).replace("127.0.0.1:8080", http)
    config = config.replace("php worker.php", f"php {example / 'worker.php'}")
    with Server(tmp_path, config):
        answers = [urlopen(f"http://{http}/", timeout=10).read().decode() for _ in range(4)]
    assert [answer.split(";")[0] for answer in answers] == [f"Visit {number}" for number in range(1, 5)]
    assert all("made at" in answer for answer in answers)


def test_the_example_of_the_manual_is_the_one_that_is_shipped() -> None:
    shown = (ROOT / "docs" / "kv.md").read_text()
    assert f"```php\n{(ROOT / 'examples' / 'kv' / 'worker.php').read_text()}```" in shown
    config = (ROOT / "examples" / "kv" / ".rr.yaml").read_text()
    assert "kv:\n  cache:\n    driver: memory\n" in config
