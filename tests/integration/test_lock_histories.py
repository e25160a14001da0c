"""Many PHP processes use few locks concurrently with random calls; their histories must be linearizable."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path

import pytest

from support.linearizability import Call, fault
from support.locks import two_servers
from support.php import require_php

ROOT = Path(__file__).parents[2]
CLIENTS, TURNS = 8, 150
CLIENT = """
require %s;
$rpc = PyRoadRunner\\Rpc\\Rpc::create();
[, $client, $seed, $turns, $file] = $argv;
mt_srand((int) $seed);
$pick = static fn (array $of): mixed => $of[mt_rand(0, count($of) - 1)];
$methods = ['Lock', 'Lock', 'Lock', 'LockRead', 'LockRead', 'Release', 'Release', 'Release', 'Release', 'Release',
    'Exists', 'UpdateTTL', 'ForceRelease'];
$calls = '';
for ($n = 0; $n < (int) $turns; $n++) {
    $method = $pick($methods);
    $ask = ['resource' => $pick(['a', 'b', 'c']), 'id' => $pick([$client, $client, $client, 'everybody'])];
    if ($method === 'Exists' && mt_rand(0, 1)) { $ask['id'] = '*'; }
    if ($method === 'ForceRelease' && mt_rand(0, 3)) { $method = 'Exists'; }
    if (str_starts_with($method, 'Lock')) { $ask['wait'] = $pick([0, 2000, 20000]); }
    if (str_starts_with($method, 'Lock') || $method === 'UpdateTTL') { $ask['ttl'] = $pick([0, 5000, 30000]); }
    $begin = hrtime(true);
    $answer = $rpc->call("lock.$method", $ask);
    $end = hrtime(true);
    $calls .= json_encode([$client, $method, $ask['resource'], $ask['id'], $begin, $end, $answer['ok'] ?? false,
        ($ask['ttl'] ?? 0) * 1000]) . "\\n";
}
file_put_contents($file, $calls);
"""


@pytest.mark.parametrize("driver", ["memory", "redis"])
def test_every_history_is_linearizable(tmp_path: Path, driver: str) -> None:
    script = tmp_path / "client.php"
    script.write_text("<?php" + CLIENT % json.dumps(str(ROOT / "php" / "autoload.php")))
    seeds = [random.randrange(1 << 30) for _ in range(CLIENTS)]
    with two_servers(driver, tmp_path) as servers:
        processes = [
            subprocess.Popen(
                [require_php(), str(script), str(n), str(seed), str(TURNS), str(tmp_path / f"{n}.jsonl")],
                env={**os.environ, "RR_RPC": servers[n % 2].rpc},
            )
            for n, seed in enumerate(seeds)
        ]
        assert [process.wait(60) for process in processes] == [0] * CLIENTS
    calls = [
        Call(*json.loads(line)) for n in range(CLIENTS) for line in (tmp_path / f"{n}.jsonl").read_text().splitlines()
    ]
    assert len(calls) == CLIENTS * TURNS
    assert {call.ok for call in calls if call.method == "Lock"} == {True, False}, "the calls have overlapped"
    told = fault(calls)
    assert not told, f"seeds {seeds}\n{told}"
