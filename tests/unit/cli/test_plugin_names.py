"""The plugins that `rr workers` and `rr reset` apply to."""

from __future__ import annotations

import pytest

from pyroadrunner.cli.plugin_names import UnknownPlugin, chosen


def test_without_names_all_plugins_are_chosen() -> None:
    assert chosen([], ["jobs", "http"]) == ["http", "jobs"]


def test_named_plugins_keep_their_order_without_duplicates() -> None:
    assert chosen(["jobs", "http", "jobs"], ["http", "jobs", "grpc"]) == ["jobs", "http"]


def test_unknown_names_are_reported_with_the_known_ones() -> None:
    with pytest.raises(UnknownPlugin, match=r"^no such plugin: htp, x; the server has: http, jobs$"):
        chosen(["http", "htp", "x"], ["jobs", "http"])
    with pytest.raises(UnknownPlugin, match="no plugin of the server has workers"):
        chosen(["http"], [])


def test_a_pool_of_a_plugin_may_be_named() -> None:
    assert chosen(["http.slow"], ["http"]) == ["http.slow"]
    with pytest.raises(UnknownPlugin):
        chosen(["jobs.slow"], ["http"])
