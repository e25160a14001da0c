"""The whole config, as plugins may show it."""

from __future__ import annotations

from pyroadrunner.config.check import check
from pyroadrunner.config.raw import RawConfig
from pyroadrunner.container.config import EndureConfig
from pyroadrunner.container.running_config import RunningConfig
from support.plugins import FrontConfig


def test_defaults_are_in_it_and_secrets_are_not() -> None:
    models = {"front": FrontConfig, "endure": EndureConfig}
    raw = RawConfig.from_dict({"version": "3", "front": {}, "x-mine": {"password": "hidden"}}, "test")
    config = RunningConfig(raw, check(raw, models), models).as_dict()
    assert config["front"] == {"size": 7}
    assert config["endure"]["grace_period"] == "30s"
    assert "hidden" not in str(config)
