"""Plugins get what their constructors ask for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pyroadrunner.container.assemble import Assembly, assemble
from pyroadrunner.container.discover import Installed
from pyroadrunner.container.errors import NeedNotMet, NeedsInACircle, NotLoaded, PluginError
from support.plugins import Answering, Easygoing, Front, FrontConfig, Maker, StrictConfig, WholeConfig, entry


def plugins(**classes: str) -> list[Installed]:
    return [Installed(name=name, entry=entry(name, cls), always=False) for name, cls in classes.items()]


def put_together(wanted: Sequence[Installed], others: Sequence[Installed] = ()) -> Assembly:
    return assemble(wanted, {}, WholeConfig(), others=others)


def test_each_kind_of_need_is_met() -> None:
    whole = WholeConfig()
    section = FrontConfig(size=9)
    assembly = assemble(plugins(front="Front", maker="Maker", answering="Answering"), {"front": section}, whole)
    by_name = {plugin.name: plugin for plugin in assembly.plugins}
    front = by_name["front"]
    assert isinstance(front, Front)
    assert front.config is section
    assert front.pools is by_name["maker"]
    assert list(front.rpc) == [by_name["answering"]]
    assert front.whole is whole
    assert front.limit == 3


def test_the_one_given_starts_before_the_one_that_asked_whatever_they_weigh() -> None:
    assembly = put_together(plugins(front="Front", maker="Maker", answering="Answering"))
    names = [plugin.name for plugin in assembly.plugins]
    assert names.index("maker") < names.index("front")
    assert assembly.needs == {"answering": [], "front": ["maker"], "maker": []}


def test_a_view_on_all_is_live() -> None:
    assembly = put_together(plugins(front="Front", maker="Maker", zed="Answering"))
    front = next(plugin for plugin in assembly.plugins if isinstance(plugin, Front))
    assert len(front.rpc) == 1
    assert isinstance(front.rpc[0], Answering)
    assert "answering" in repr(front.rpc)


def test_methods_with_the_names_of_a_protocol_are_no_promise() -> None:
    assembly = put_together(plugins(front="Front", maker="Maker", undeclared="Undeclared"))
    front = next(plugin for plugin in assembly.plugins if isinstance(plugin, Front))
    assert list(front.rpc) == []


def easygoing(assembly: Assembly) -> Easygoing:
    return next(plugin for plugin in assembly.plugins if isinstance(plugin, Easygoing))


def test_what_can_be_done_without_is_none_when_it_is_not_there() -> None:
    assembly = put_together(plugins(easygoing="Easygoing"), others=plugins(maker="Maker"))
    plugin = easygoing(assembly)
    assert (plugin.config, plugin.pools, plugin.tracing, plugin.number) == (None, None, None, 3)
    assert assembly.needs == {"easygoing": []}


def test_what_can_be_done_without_is_given_when_it_is_there_and_starts_before() -> None:
    section = FrontConfig(size=9)
    found = plugins(easygoing="Easygoing", maker="Maker")
    assembly = assemble(found, {"easygoing": section}, WholeConfig())
    assert [plugin.name for plugin in assembly.plugins] == ["maker", "easygoing"]  # though it weighs more
    plugin = easygoing(assembly)
    assert plugin.config is section
    assert plugin.pools is assembly.plugins[0]
    assert assembly.needs["easygoing"] == ["maker"]


def test_two_that_could_be_meant_are_named_also_where_none_would_do() -> None:
    with pytest.raises(NeedNotMet, match="maker, other all are one"):
        put_together(plugins(easygoing="Easygoing", maker="Maker", other="Maker"))


def test_an_absent_section_has_its_defaults() -> None:
    assembly = put_together(plugins(front="Front", maker="Maker"))
    front = next(plugin for plugin in assembly.plugins if isinstance(plugin, Front))
    assert front.config == FrontConfig()


def test_a_missing_need_names_the_section_that_meets_it() -> None:
    with pytest.raises(NeedNotMet, match=r"front: needs a plugin that is a PoolFactory.*add the section `maker`"):
        put_together(plugins(front="Front"), others=plugins(maker="Maker", broken="nowhere:Thing"))


def test_a_need_nobody_can_meet_says_so() -> None:
    with pytest.raises(NeedNotMet, match="install a package with such a plugin"):
        put_together(plugins(front="Front"))


def test_two_that_could_be_meant_are_named() -> None:
    with pytest.raises(NeedNotMet, match="maker, other all are one"):
        put_together(plugins(front="Front", maker="Maker", other="Maker"))


def test_needs_in_a_circle_are_refused() -> None:
    with pytest.raises(NeedsInACircle) as caught:
        put_together(plugins(chicken="Chicken", egg="Egg"))
    assert caught.value.circle == ["chicken", "egg"]


@pytest.mark.parametrize("target", ["no_such_module_of_ours:Plugin", "support.plugins:Missing"])
def test_a_plugin_that_can_not_be_imported_names_what_to_install(target: str) -> None:
    with pytest.raises(NotLoaded, match=r"amqp: its plugin .* can't be loaded: .*; pip install --force-reinstall "):
        put_together(plugins(amqp=target))


def test_a_missing_client_library_names_the_extra() -> None:
    error = NotLoaded("amqp", "pyroadrunner.x:X", ModuleNotFoundError("no", name="aio_pika"), "pyroadrunner")
    assert str(error) == (
        "amqp: the Python package that has the module `aio_pika` is not installed;"
        " pip install 'pyroadrunner[amqp]', or remove the section `amqp`"
    )


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        ("not_a_class", "is no class"),
        ("NoPlugin", r"NoPlugin is no plugin: it does not inherit pyroadrunner\.contracts\.Plugin"),
        ("Unfinished", r"Unfinished inherits PoolFactory and has no `create_pool`"),
        ("Nameless", "Nameless has no `name`"),
        ("Greedy", r"Greedy\(number: ...\) asks for something no plugin can give"),
        ("Strict", "the section `it` is required"),
    ],
)
def test_a_plugin_written_wrong_is_told_so(cls: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        put_together(plugins(it=cls))


def test_a_section_of_another_type_is_told() -> None:
    with pytest.raises(PluginError, match="do not fit together"):
        assemble(plugins(front="Front", maker="Maker"), {"front": StrictConfig(size=1)}, WholeConfig())


def test_a_maker_is_no_door() -> None:
    assert isinstance(put_together(plugins(maker="Maker")).plugins[0], Maker)
