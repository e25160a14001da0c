"""A package with one plugin, ``fake``, installed for one server only: its folder goes on ``PYTHONPATH``.

Its section says how it behaves, and its log lines (channel ``fake``) say what happens to it.
"""

from __future__ import annotations

from pathlib import Path

_MODULE = '''
from __future__ import annotations

import asyncio
import warnings

import msgspec

from pyroadrunner.contracts import HasTask, Plugin
from pyroadrunner.errors import RoadRunnerError
from pyroadrunner.log import Log

log = Log("fake")


class FakeConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """``fake``: ``mood`` is refuse, crash, hang_start, fail_run, crash_run, fail_stop, hang_stop, warn or empty."""

    mood: str = ""


class FakePlugin(Plugin, HasTask):
    """Does as its mood says."""

    name = "fake"

    def __init__(self, config: FakeConfig) -> None:
        self.mood = config.mood

    async def start(self) -> None:
        log.info("fake starts")
        if self.mood == "refuse":
            raise RoadRunnerError("the fake refuses")
        if self.mood == "crash":
            raise KeyError("a bug in start")
        if self.mood == "hang_start":
            await asyncio.Event().wait()
        if self.mood == "warn":
            warnings.warn("something is old", DeprecationWarning, stacklevel=1)
            warnings.warn("something is odd", RuntimeWarning, stacklevel=1)

    async def run(self) -> None:
        if self.mood == "fail_run":
            raise RoadRunnerError("the fake fails later")
        if self.mood == "crash_run":
            raise KeyError("a bug in run")

    async def stop(self, grace: float) -> None:
        log.info("fake stops", whole_grace=round(grace))
        if self.mood == "fail_stop":
            raise ValueError("the fake can't stop")
        if self.mood == "hang_stop":
            await asyncio.Event().wait()
'''

_ENTRY_POINTS = """
[pyroadrunner.plugins]
fake = fake_plugin:FakePlugin

[pyroadrunner.sections]
fake = fake_plugin:FakeConfig
"""


def install_fake(folder: Path) -> dict[str, str]:
    """Write the package below ``folder``; the environment in which ``rr`` finds it."""
    site = folder / "site"
    info = site / "rr_fake-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fake_plugin.py").write_text(_MODULE, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rr-fake\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(_ENTRY_POINTS, encoding="utf-8")
    return {"PYTHONPATH": str(site)}
