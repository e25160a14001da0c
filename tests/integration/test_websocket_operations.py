"""The `websocket` section over time: traces, reload, reset, restarts, probes, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_websocket import ask, client, on_the_loop
from websockets.exceptions import InvalidStatus

from support.otlp import HttpCollector
from support.php import require_php
from support.server import Server

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

WORKER = """<?php
require getenv('RR_PHP_LIBRARY') . '/autoload.php';
use PyRoadRunner\\WebSocket\\{Connection, Handler, WebSocketWorker};

if (getenv('RR_MODE') !== 'websocket') {
    PyRoadRunner\\Http\\Server::run(static fn ($request) => 'http');
    exit;
}
WebSocketWorker::create()->run(new class extends Handler {
    public function onConnect(Connection $c): void {
        parse_str($c->query, $query);
        if (isset($query['refuse'])) {
            throw new RuntimeException('on purpose');
        }
        foreach ((array) ($query['join'] ?? []) as $topic) {
            $c->join($topic);
        }
        $c->send('trace ' . $c->header('traceparent'));
    }
    public function onMessage(Connection $c, string $data, bool $binary): void {
        match ($data) {
            'trace' => $c->send('trace ' . $c->header('traceparent')),
            'pid' => $c->send((string) getmypid()),
            'hang' => sleep(600),
            default => $c->send($data, $binary),
        };
    }
    public function onClose(Connection $c, int $code, string $reason): void {
        fwrite(STDERR, "closed {$code} {$c->header('traceparent')}\\n");
    }
});
"""


def config(**websocket: Any) -> dict[str, Any]:
    return {
        "server": {"command": f"{require_php()} worker.php"},
        "http": {"pool": {"num_workers": 1}},
        "websocket": {"pool": {"num_workers": 1}, **websocket},
    }


def serving(folder: Path, given: dict[str, Any], **options: Any) -> Server:
    (folder / "worker.php").write_text(WORKER)
    return Server(folder, given, **options)


# -- traces ----------------------------------------------------------------------------------------------------------


def test_events_are_traced_into_the_workers(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        given = config() | {"otel": {"endpoint": collector.address, "insecure": True}}
        given["http"]["middleware"] = ["otel"]
        with serving(tmp_path, given, env={"OTEL_BSP_SCHEDULE_DELAY": "50"}) as server:
            sent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}

            @on_the_loop
            async def scene() -> dict[str, str]:
                async with client(server, additional_headers=sent) as one:
                    connected = str(await one.recv()).removeprefix("trace ")
                    handled = str(await ask(one, "trace")).removeprefix("trace ")
                with pytest.raises(InvalidStatus):
                    async with client(server, "refuse=1", additional_headers=sent):
                        pass
                return {"connect /ws": connected, "message /ws": handled}

            seen = scene()
            server.wait_for("closed 1000")
            spans = collector.wait_for("/ws", "/ws?refuse=1", "close /ws")
            for name, got in seen.items():
                found = [
                    span for one in collector.deliveries for span in one.spans if got == f"00-{TRACE}-{span.own}-01"
                ]
                assert [span.name for span in found] == [name]
                assert found[0].trace == TRACE
                assert not found[0].error
            close = spans["close /ws"]
            assert close.trace == TRACE
            assert close.attributes["websocket.close.code"] == 1000
            server.wait_for(f"closed 1000 00-{TRACE}-{close.own}-01")
            failed = [
                span for one in collector.deliveries for span in one.spans if span.name == "connect /ws" and span.error
            ]
            assert len(failed) == 1
