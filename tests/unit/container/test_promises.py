"""A plugin keeps the promises its class inherits."""

from __future__ import annotations

import pytest

from pyroadrunner.container.discover import Installed, installed
from pyroadrunner.container.promises import keeping, keeps, missing, undeclared
from pyroadrunner.container.reload.endure import Endure
from pyroadrunner.container.remote_control import RemoteControl
from pyroadrunner.contracts import HasProcesses, HasRpc, HasTask, Plugin, PoolFactory, Reloadable
from support.plugins import Answering, Egg, Noting, Quiet, Undeclared, Unfinished


def test_only_what_is_inherited_counts() -> None:
    assert keeps(Answering, HasRpc)
    assert keeps(Egg, HasRpc)  # by the class it inherits from
    assert not keeps(Undeclared, HasRpc)
    assert not keeps(Quiet, HasRpc)


def test_a_plugin_with_a_reset_of_its_own_is_not_taken_for_one_with_processes() -> None:
    class Game(Quiet):
        async def workers(self) -> list[str]:
            return ["miner"]

        async def reset(self) -> None: ...

    assert keeping([Game(), Answering()], HasProcesses) == []
    assert undeclared(Game) == ["HasProcesses"]


def test_those_that_keep_a_promise_are_found_among_others() -> None:
    answering, noting = Answering(), Noting("a", [])
    assert keeping([noting, answering], HasRpc) == [answering]
    assert keeping([noting, answering], Plugin) == [noting, answering]


def test_what_was_promised_and_is_not_there_is_named() -> None:
    assert missing(Unfinished) == [("PoolFactory", "create_pool")]
    assert missing(Answering) == []


def test_what_is_there_and_was_not_promised_is_named() -> None:
    assert undeclared(Undeclared) == [HasRpc.__name__, HasTask.__name__]
    assert undeclared(Answering) == []


@pytest.mark.parametrize("plugin", installed(), ids=lambda plugin: plugin.name)
def test_each_plugin_of_ours_declares_what_it_has_and_has_what_it_declares(plugin: Installed) -> None:
    cls = plugin.load()
    assert keeps(cls, Plugin)
    assert (missing(cls), undeclared(cls)) == ([], [])


def test_so_do_the_parts_of_the_container_that_serve_like_plugins() -> None:
    assert keeps(Endure, Reloadable)
    assert keeps(RemoteControl, HasRpc)
    assert not keeps(RemoteControl, PoolFactory)
    assert (missing(RemoteControl), undeclared(RemoteControl)) == ([], [])
