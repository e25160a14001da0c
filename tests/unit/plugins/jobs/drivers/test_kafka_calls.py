"""A thread for calls that block."""

from __future__ import annotations

import threading

import pytest

from pyroadrunner.plugins.jobs.drivers.kafka.calls import CallThread


def test_calls_are_made_in_order_but_for_cancelled_ones() -> None:
    thread, go, made = CallThread("calls"), threading.Event(), list[str]()
    first = thread.submit(go.wait, 30)
    second = thread.submit(made.append, "second")
    third = thread.submit(made.append, "third")
    thread.end()
    assert second.cancel()
    go.set()
    assert first.result(30)
    third.result(30)
    assert made == ["third"]


def test_a_call_may_fail() -> None:
    thread = CallThread("calls")
    with pytest.raises(ZeroDivisionError):
        thread.submit(divmod, 1, 0).result(30)
    assert thread.submit(divmod, 3, 2).result(30) == (1, 1)
    thread.end()
