"""Which plugins a config turns on."""

from __future__ import annotations

import pytest

from pyroadrunner.container.discover import from_entries, installed, wanted
from pyroadrunner.container.errors import PluginError
from support.plugins import ALWAYS, entry

PLUGINS = from_entries(
    [entry("http", "no_module:X"), entry("server", "Maker"), entry("kv", "Quiet")], [entry("logs", "Quiet", ALWAYS)]
)


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([], ["logs"]),
        (["kv"], ["kv", "logs"]),
        (["http", "server"], ["http", "logs", "server"]),
        (["http"], ["logs"]),
        (["logs", "unknown"], ["logs"]),
    ],
)
def test_a_plugin_is_wanted_when_its_section_is_there(sections: list[str], expected: list[str]) -> None:
    assert [plugin.name for plugin in wanted(PLUGINS, sections)] == expected


def test_two_packages_with_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="two packages have this plugin"):
        from_entries([entry("kv", "Quiet"), entry("kv", "Maker")], [])


def test_the_plugins_of_this_package_are_found() -> None:
    found = {plugin.name: plugin.always for plugin in installed()}
    assert found["http"] is False
    assert found["logs"] is True
