"""The start and the stop of the plugin; what it does between is tested with real registries."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pyroadrunner.plugins.discovery.config import MODELS, DiscoveryConfig
from pyroadrunner.plugins.discovery.errors import NotInstalled
from pyroadrunner.plugins.discovery.plugin import DiscoveryPlugin
from support.virtual_time import in_virtual_time


def make(**settings: object) -> DiscoveryPlugin:
    registry = MODELS["file"](path="/nowhere/servers.yaml")  # type: ignore[call-arg]  # made at run time
    return DiscoveryPlugin(DiscoveryConfig(registry=registry, id="web", **settings), [], [], [])  # type: ignore[arg-type]


@in_virtual_time
async def test_a_missing_library_is_named_with_its_extra() -> None:
    plugin = make()
    plugin._info = replace(plugin._info, modules=("no_such_module",), extra="discovery")
    with pytest.raises(NotInstalled) as refused:
        await plugin.start()
    assert str(refused.value) == (
        "discovery.registry.driver file needs the module no_such_module: pip install 'pyroadrunner[discovery]'"
    )


@in_virtual_time
async def test_before_the_first_reading_prometheus_keeps_its_targets() -> None:
    plugin = make()
    await plugin.start()
    page = await plugin.monitoring_pages()["/sd"]({})
    assert (page.status, page.body) == (503, b"the registry was not read yet: connecting\n")
    assert plugin.status_message() == "connecting"
    await plugin.stop(1.0)


def test_a_stop_before_the_driver_is_imported_ends_the_task() -> None:
    async def scene() -> None:  # with a thread, so in real time
        plugin = make()
        await plugin.start()
        running = asyncio.ensure_future(plugin.run())
        await plugin.stop(1.0)
        await running
        assert plugin._registry is None

    asyncio.run(scene())
