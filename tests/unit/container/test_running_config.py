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


def test_values_have_sources_and_a_reload_is_one() -> None:
    models = {"front": FrontConfig, "endure": EndureConfig}
    raw = RawConfig.from_dict({"version": "3", "front": {"size": 8}, "x-mine": {"password": "hidden"}}, "test")
    config = RunningConfig(raw, check(raw, models), models)

    def found(path: tuple[str, ...]) -> tuple[object, str, bool]:
        [leaf] = [leaf for leaf in config.leaves() if leaf.path == path]
        return leaf.value, leaf.source, leaf.changed

    assert found(("front", "size")) == (8, "test", True)
    assert found(("endure", "grace_period")) == ("30s", "default", False)
    assert found(("x-mine", "password")) == ("***", "test", True)
    config.become({**config.values(), ("front", "size"): 7, ("x-mine", "password"): "other"})
    assert found(("front", "size")) == (7, "reload", False)
    assert found(("x-mine", "password")) == ("***", "reload", True)
    assert found(("endure", "grace_period")) == ("30s", "default", False)
