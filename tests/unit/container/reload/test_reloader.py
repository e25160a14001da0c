"""A reload is all or nothing for faults, and says which keys have to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pytest

from pyroadrunner.config.check import Checked, check
from pyroadrunner.config.errors import ConfigError
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.reload.errors import ReloadRefused
from pyroadrunner.container.reload.reloader import Outcome, Reloader
from pyroadrunner.container.running_config import RunningConfig
from pyroadrunner.contracts import HasCertificates, PreparedReload, Reloadable
from support.plugins import Refused


class Section(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    size: int = 1
    address: str = ""


class Plugin(Reloadable):
    """Can change its size, and notes what happens."""

    def __init__(self, name: str, notes: list[str], *, refuses: bool = False) -> None:
        self.name = name
        self.notes = notes
        self.refuses = refuses

    def reloadable_keys(self) -> Collection[str]:
        return ["size"]

    async def prepare_reload(self, section: Section, whole: Mapping[str, Any]) -> PreparedReload:
        if self.refuses:
            raise Refused("no room")
        self.notes.append(f"{self.name} prepares {section.size} {section.address} {whole[self.name]}")
        return PreparedReload(lambda: self.notes.append(f"{self.name} applies"), lambda: self.notes.append("discards"))


class Running:
    """A server whose config file is a dict."""

    def __init__(self, *plugins: Plugin, **sections: Any) -> None:
        self.models = {plugin.name: Section for plugin in plugins}
        self.file: dict[str, Any] = {"version": "3", **sections}
        raw, checked = self.read()
        self.effective = RunningConfig(raw, checked, self.models)
        self.reloader = Reloader(self.read, sections=checked.sections, effective=self.effective, models=self.models)
        self.reloader.serve([*plugins, object()])

    def read(self) -> tuple[RawConfig, Checked]:
        raw = RawConfig.from_dict(self.file, "test")
        return raw, check(raw, self.models)

    def reload(self, *, check: bool = False, **sections: Any) -> Outcome:
        self.file = {"version": "3", **sections}
        return asyncio.run(self.reloader.reload(check=check))


class Certified(HasCertificates):
    """Has certificates, and notes that it was told to look at them."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    async def reload_certificates(self) -> None:
        self.notes.append("looks at certificates")


def test_certificates_are_looked_at_after_the_config_was_taken_over() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), a={})
    server.reloader.serve([Plugin("a", notes), Certified(notes)])
    server.reload(a={"size": 2})
    assert notes[-2:] == ["a applies", "looks at certificates"]
    with pytest.raises(ConfigError):
        server.reload(a={"size": "many"})
    server.reload(check=True, a={})
    assert notes.count("looks at certificates") == 1


def keys(outcome: Outcome) -> tuple[list[str], list[str]]:
    return [change.key for change in outcome.applied], [change.key for change in outcome.restart]


def test_live_keys_count_and_the_others_are_named_at_each_reload_until_the_restart() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), a={"size": 1, "address": "old"})
    assert keys(server.reload(a={"size": 2, "address": "new"})) == (["a.size"], ["a.address"])
    assert notes == ["a prepares 2 old {'size': 2, 'address': 'old'}", "a applies"]
    assert server.effective.as_dict()["a"] == {"size": 2, "address": "old"}
    assert keys(server.reload(a={"size": 2, "address": "new"})) == ([], ["a.address"])
    assert keys(server.reload(a={"size": 3, "address": "old"})) == (["a.size"], [])


def test_nothing_changed_nothing_done() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), a={"size": 1})
    assert keys(server.reload(a={"size": "1"})) == ([], [])
    assert notes == []


def test_a_check_does_nothing() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), a={})
    assert keys(server.reload(check=True, a={"size": 2})) == (["a.size"], [])
    assert notes == []
    assert server.effective.as_dict()["a"]["size"] == 1


def test_a_fault_anywhere_changes_nothing() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), Plugin("b", notes), a={}, b={})
    with pytest.raises(ConfigError, match=r"b\.size"):
        server.reload(a={"size": 2}, b={"size": "many"})
    assert notes == []


def test_when_one_plugin_refuses_the_others_stay_as_they_were() -> None:
    notes: list[str] = []
    server = Running(Plugin("a", notes), Plugin("b", notes, refuses=True), a={}, b={})
    with pytest.raises(ReloadRefused, match=r"b: no room\nnothing was reloaded"):
        server.reload(a={"size": 2}, b={"size": 2})
    assert notes == ["a prepares 2  {'size': 2, 'address': ''}", "discards"]
    assert server.effective.as_dict()["a"]["size"] == 1


@pytest.mark.parametrize(("before", "after"), [({"a": {"size": 2}}, {}), ({}, {"a": {"size": 2}})])
def test_a_section_that_comes_or_goes_needs_a_restart(before: dict[str, Any], after: dict[str, Any]) -> None:
    server = Running(Plugin("a", []), **before)
    assert keys(server.reload(**after)) == ([], ["a"])


def test_the_method_of_the_service() -> None:
    server = Running(Plugin("a", []), a={})
    server.file["a"] = {"size": 2}
    method = server.reloader.rpc_methods()["Reload"]
    answer = asyncio.run(method.call(method.argument(check=True)))
    assert answer == {"applied": [{"key": "a.size", "old": 1, "new": 2}], "restart": [], "warnings": []}
