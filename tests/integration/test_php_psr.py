"""PSR-3 and PSR-16 of the PHP library, with untyped interfaces (Debian's packages) and with current ones."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.php import require_php, require_php_package
from support.server import Server, environment, free_port

ROOT = Path(__file__).parents[2]
INTERFACES = ["untyped", "typed"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {
        "kv": {"cache": {"driver": "memory", "config": {}}},
        "logs": {"mode": "production", "output": "app.log"},
    }
    with Server(tmp_path_factory.mktemp("psr"), config) as running:
        yield running


def php(interfaces: str, rpc: str, code: str) -> subprocess.CompletedProcess[bytes]:
    """Run PHP code that sets ``$out``, which is printed as JSON."""
    if interfaces == "typed":
        load = f"require {json.dumps(str(ROOT / 'tests' / 'support' / 'psr_typed.php'))};"
    else:
        require_php_package("Psr/Log/autoload.php", "php-psr-log")
        require_php_package("Psr/SimpleCache/autoload.php", "php-psr-simple-cache")
        load = "require 'Psr/Log/autoload.php'; require 'Psr/SimpleCache/autoload.php';"
    script = f"""
        declare(strict_types=1);
        require {json.dumps(str(ROOT / "php" / "autoload.php"))};
        {load}
        $out = null;
        {code}
        echo json_encode($out, JSON_THROW_ON_ERROR);
    """
    return subprocess.run(
        [require_php(), "-d", "display_errors=stderr", "-r", script],
        env=environment({"RR_RPC": rpc}),
        capture_output=True,
        check=True,
        timeout=60,
    )


def cached(interfaces: str, server: Server, code: str) -> Any:
    done = php(
        interfaces, server.rpc, f"$cache = PyRoadRunner\\Kv\\Psr16Cache::create('cache'); $cache->clear(); {code}"
    )
    assert done.stderr == b""
    return json.loads(done.stdout)


def lines(server: Server, count: int) -> list[dict[str, Any]]:
    """Wait for this many new lines of the application; return them without the parts that vary."""
    log = server.folder / "app.log"
    deadline = time.monotonic() + 20
    while True:
        found = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        found = [line for line in found if line["logger"] == "app"]
        if len(found) >= count:
            return [{k: v for k, v in line.items() if k not in ("ts", "logger")} for line in found[-count:]]
        assert time.monotonic() < deadline, found
        time.sleep(0.01)


@pytest.mark.parametrize("interfaces", INTERFACES)
def test_each_level_of_psr_3_is_a_line_of_the_server(server: Server, interfaces: str) -> None:
    code = """
        $log = PyRoadRunner\\Psr3Logger::create();
        foreach (['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'] as $level) {
            $log->$level("at $level");
        }
        $out = $log instanceof Psr\\Log\\LoggerInterface;
    """
    assert json.loads(php(interfaces, server.rpc, code).stdout) is True
    assert lines(server, 8) == [
        {"level": "error", "msg": "at emergency", "severity": "emergency"},
        {"level": "error", "msg": "at alert", "severity": "alert"},
        {"level": "error", "msg": "at critical", "severity": "critical"},
        {"level": "error", "msg": "at error"},
        {"level": "warn", "msg": "at warning"},
        {"level": "info", "msg": "at notice", "severity": "notice"},
        {"level": "info", "msg": "at info"},
        {"level": "debug", "msg": "at debug"},
    ]


@pytest.mark.parametrize("interfaces", INTERFACES)
def test_a_message_is_interpolated_from_its_context_with_any_value(server: Server, interfaces: str) -> None:
    code = """
        $loop = []; $loop['self'] = &$loop;
        PyRoadRunner\\Psr3Logger::create()->info('{user} did {what}, {unknown} {n}', [
            'user' => new class { public function __toString() { return 'ann'; } },
            'what' => ['a', 'ä'],
            'n' => null,
            'bytes' => "\\xff",
            'file' => STDIN,
            'object' => new ArrayObject(),
            'when' => new DateTimeImmutable('2026-01-02T03:04:05.678Z'),
            'bad' => new class { public function __toString() { throw new LogicException('no'); } },
            'number' => NAN,
            'closure' => fn () => 1,
        ]);
        PyRoadRunner\\Psr3Logger::create()->error(new RuntimeException('boom'), ['exception' => new Exception('why')]);
    """
    done = php(interfaces, server.rpc, code)
    assert done.stderr == b""
    odd, error = lines(server, 2)
    assert odd.pop("bad").endswith("(LogicException)")
    assert odd == {
        "level": "info",
        "msg": 'ann did ["a","ä"], {unknown} null',
        "user": "ann",
        "what": '["a","ä"]',
        "n": "null",
        "bytes": "�",
        "file": "resource (stream)",
        "object": "ArrayObject",
        "when": "2026-01-02T03:04:05.678+00:00",
        "number": "0",
        "closure": "Closure",
    }
    assert "RuntimeException: boom" in error["msg"]
    assert "Exception: why" in error["exception"]


def test_an_unknown_level_is_refused(server: Server) -> None:
    code = """
        foreach (['fatal', 7, null] as $level) {
            try { PyRoadRunner\\Psr3Logger::create()->log($level, 'x'); }
            catch (Psr\\Log\\InvalidArgumentException $e) { $out[] = $e->getMessage(); }
        }
    """
    out = json.loads(php("untyped", server.rpc, code).stdout)
    assert out == ["not a level of PSR-3: string fatal", "not a level of PSR-3: int 7", "not a level of PSR-3: null"]


def test_a_line_that_can_not_be_sent_goes_to_stderr() -> None:
    code = "PyRoadRunner\\Psr3Logger::create()->alert('hot {n}', ['n' => 1]);"
    done = php("untyped", f"tcp://127.0.0.1:{free_port()}", code)
    assert done.stderr.startswith(b'alert: hot 1 {"n":"1","severity":"alert"} (not logged: cannot connect to tcp://')


@pytest.mark.parametrize("interfaces", INTERFACES)
def test_psr_16_keeps_values_of_every_kind(server: Server, interfaces: str) -> None:
    out = cached(
        interfaces,
        server,
        """
        $values = ['int' => 1, 'false' => false, 'null' => null, 'list' => [1, ['a' => 'ä']], '7' => 'seven',
                   'bytes' => "\\xff\\0", 'empty' => '', 'float' => 1.5, 'long' . str_repeat('k', 60) => 'x'];
        foreach ($values as $key => $value) $cache->set((string) $key, $value);
        $same = [];
        foreach ($values as $key => $value) $same[] = $cache->get((string) $key, 'missing') === $value;
        $cache->set('object', new DateTimeZone('Europe/Paris'));
        $out = [$same, $cache->get('object')->getName(), $cache->get('nope'), $cache->get('nope', 'default'),
                $cache->has('int'), $cache->has('nope'), $cache->delete('int'), $cache->has('int'),
                $cache->clear(), $cache->has('list'), $cache instanceof Psr\\SimpleCache\\CacheInterface];
        """,
    )
    assert out == [[True] * 9, "Europe/Paris", None, "default", True, False, True, False, True, False, True]


@pytest.mark.parametrize("interfaces", INTERFACES)
def test_psr_16_takes_several_keys_at_once_from_anything_iterable(server: Server, interfaces: str) -> None:
    out = cached(
        interfaces,
        server,
        """
        $pairs = (function () { yield 'a' => 1; yield 'b' => [2]; yield '3' => 'c'; })();
        $keys = (function () { yield 'b'; yield 'nope'; yield '3'; })();
        $out = [$cache->setMultiple($pairs), $cache->getMultiple($keys, 'd'), $cache->deleteMultiple(['a', 'nope']),
                $cache->getMultiple(['a', 'b']), $cache->getMultiple([]), $cache->setMultiple([]),
                $cache->deleteMultiple([])];
        """,
    )
    several = {"b": [2], "nope": "d", "3": "c"}
    assert out == [True, several, True, {"a": None, "b": [2]}, [], True, True]


@pytest.mark.parametrize("interfaces", INTERFACES)
def test_psr_16_lifetimes_are_seconds_or_intervals_and_none_is_left_after_zero(server: Server, interfaces: str) -> None:
    before = time.time()
    out = cached(
        interfaces,
        server,
        """
        $kv = PyRoadRunner\\Kv\\Kv::create('cache');
        $cache->set('seconds', 1, 100);
        $cache->set('interval', 1, new DateInterval('PT1M'));
        $cache->set('forever', 1);
        foreach (['zero' => 0, 'past' => -5] as $key => $ttl) { $cache->set($key, 1); $cache->set($key, 1, $ttl); }
        $out = [$kv->expires('seconds')->getTimestamp(), $kv->expires('interval')->getTimestamp(),
                $kv->expires('forever'), $cache->has('zero'), $cache->has('past')];
        """,
    )
    assert before + 99 <= out[0] <= time.time() + 100
    assert before + 59 <= out[1] <= time.time() + 60
    assert out[2:] == [None, False, False]


def test_psr_16_refuses_invalid_keys_and_misses_unknown_ones(server: Server) -> None:
    out = cached(
        "untyped",
        server,
        """
        $bad = [fn () => $cache->get(''), fn () => $cache->get('a:b'), fn () => $cache->get('{a}'),
                fn () => $cache->get(null), fn () => $cache->set('k', 1, 'soon'), fn () => $cache->set('k', fn () => 1),
                fn () => $cache->getMultiple('k'), fn () => $cache->setMultiple(null), fn () => $cache->has(1.5),
                fn () => $cache->deleteMultiple(['a', 'b/c'])];
        foreach ($bad as $number => $call) {
            try { $call(); } catch (Psr\\SimpleCache\\InvalidArgumentException $e) { $out['refused'][] = $number; }
        }
        try { PyRoadRunner\\Kv\\Psr16Cache::create('nope')->get('k'); }
        catch (Psr\\SimpleCache\\CacheException $e) { $out['failed'] = $e->getMessage(); }
        PyRoadRunner\\Kv\\Kv::create('cache')->increment('counter');
        $out['foreign'] = $cache->get('counter', 'default');
        """,
    )
    assert out == {"refused": list(range(10)), "failed": "rpc_mget: no such storage: nope", "foreign": "default"}
