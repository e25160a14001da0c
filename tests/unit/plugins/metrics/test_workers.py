"""Metrics of workers."""

from __future__ import annotations

import asyncio

from pyroadrunner.plugins.metrics.exposition import exposition
from pyroadrunner.plugins.metrics.workers import worker_metrics
from support.rpc import FakePlugin, FakePool, worker


def shown(plugin: FakePlugin) -> list[str]:
    text = exposition(asyncio.run(worker_metrics(plugin)))
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_one_pool_has_no_pool_label() -> None:
    infos = [
        worker(7),
        worker(8, status=2, status_str="working"),
        worker(9, status=3, status_str="invalid"),
    ]
    assert shown(FakePlugin("http", FakePool("http", infos))) == [
        "rr_http_total_workers 3",
        'rr_http_worker_memory_bytes{pid="7"} 1.4e+07',
        'rr_http_worker_memory_bytes{pid="8"} 1.4e+07',
        'rr_http_worker_memory_bytes{pid="9"} 1.4e+07',
        'rr_http_worker_state{pid="7",state="ready"} 0',
        'rr_http_worker_state{pid="8",state="working"} 0',
        'rr_http_worker_state{pid="9",state="invalid"} 0',
        "rr_http_workers_invalid 1",
        "rr_http_workers_memory_bytes 4.2e+07",
        "rr_http_workers_ready 1",
        "rr_http_workers_working 1",
    ]


def test_several_pools_have_a_pool_label() -> None:
    lines = shown(FakePlugin("http", FakePool("http", [worker(7)]), FakePool("http.slow", [worker(8), worker(9)])))
    assert 'rr_http_total_workers{pool="http"} 1' in lines
    assert 'rr_http_total_workers{pool="http.slow"} 2' in lines
    assert 'rr_http_worker_state{pid="9",pool="http.slow",state="ready"} 0' in lines


def test_names_are_roadrunners() -> None:
    assert shown(FakePlugin("centrifuge", FakePool("centrifuge")))[0] == "rr_centrifugo_total_workers 0"
    assert shown(FakePlugin("tcp", FakePool("tcp")))[0] == "rr_tcp_total_workers 0"
    assert shown(FakePlugin("jobs")) == []
