"""Counters of calls."""

from __future__ import annotations

from pyroadrunner.plugins.grpc.metrics import CallCounters


def lines(counters: CallCounters) -> dict[str, float]:
    found = {}
    for family in counters.families():
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
            found[f"{family.name}{sample.suffix}{{{labels}}}"] = sample.value
    return found


def test_calls_are_counted_by_method_and_status() -> None:
    counters = CallCounters()
    counters.add("/a.B/C", 0, 0.001)
    counters.add("/a.B/C", 0, 0.3)
    counters.add("/a.B/C", 3, 100)
    counters.in_flight = 2
    found = lines(counters)
    assert found["rr_grpc_requests_queue{}"] == 2
    assert found["rr_grpc_request_total{grpc_method=/a.B/C,status_code=OK}"] == 2
    assert found["rr_grpc_request_total{grpc_method=/a.B/C,status_code=InvalidArgument}"] == 1
    assert found["rr_grpc_request_duration_seconds_bucket{grpc_method=/a.B/C,le=0.005}"] == 1
    assert found["rr_grpc_request_duration_seconds_bucket{grpc_method=/a.B/C,le=0.5}"] == 2
    assert found["rr_grpc_request_duration_seconds_bucket{grpc_method=/a.B/C,le=10}"] == 2
    assert found["rr_grpc_request_duration_seconds_bucket{grpc_method=/a.B/C,le=+Inf}"] == 3
    assert found["rr_grpc_request_duration_seconds_count{grpc_method=/a.B/C}"] == 3
