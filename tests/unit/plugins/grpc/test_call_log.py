from __future__ import annotations

import pytest

from pyroadrunner.grpcd import StatusCode
from pyroadrunner.plugins.grpc.call_log import CallLog
from pyroadrunner.plugins.grpc.metrics import CallCounters
from support.log import logged


@pytest.mark.parametrize(
    ("path", "code", "level"),
    [
        ("/s/M", StatusCode.OK, "DEBUG"),
        ("/s/M", StatusCode.CANCELLED, "ERROR"),
        ("/s/Watch", StatusCode.CANCELLED, "DEBUG"),
        ("/s/Watch", StatusCode.INTERNAL, "ERROR"),
    ],
)
def test_cancelling_one_of_the_servers_own_streams_is_no_failure(path: str, code: int, level: str) -> None:
    calls = CallLog(CallCounters(), {"/s/Watch"})
    with logged("grpc") as lines:
        calls.began()
        calls.ended(path, code, "", 0.1)
    assert [line[0] for line in lines.lines] == [level]
