"""Which plugins `rr workers` and `rr reset` are about."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.plugin_names import UnknownPlugin, chosen


def test_all_are_meant_when_none_is_named() -> None:
    assert chosen([], ["jobs", "http"]) == ["http", "jobs"]


def test_the_named_ones_keep_their_order_and_are_meant_once() -> None:
    assert chosen(["jobs", "http", "jobs"], ["http", "jobs", "grpc"]) == ["jobs", "http"]


def test_names_nobody_has_are_told_with_those_there_are() -> None:
    with pytest.raises(UnknownPlugin, match=r"^no such plugin: htp, x; the server has: http, jobs$"):
        chosen(["http", "htp", "x"], ["jobs", "http"])
    with pytest.raises(UnknownPlugin, match="no plugin of the server has workers"):
        chosen(["http"], [])


def test_a_pool_of_a_plugin_may_be_named() -> None:
    assert chosen(["http.slow"], ["http"]) == ["http.slow"]
    with pytest.raises(UnknownPlugin):
        chosen(["jobs.slow"], ["http"])
