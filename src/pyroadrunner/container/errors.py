"""What can go wrong between plugins, in words for the one who installs and configures them."""

from __future__ import annotations

from collections.abc import Sequence

from pyroadrunner.errors import RoadRunnerError


class PluginError(RoadRunnerError):
    """A plugin that can't be used. ``plugin`` is its name."""

    def __init__(self, plugin: str, message: str) -> None:
        super().__init__(f"{plugin}: {message}")
        self.plugin = plugin


class NotLoaded(PluginError):
    """Its code can't be imported."""

    def __init__(self, plugin: str, target: str, cause: Exception, package: str) -> None:
        missing = cause.name if isinstance(cause, ModuleNotFoundError) and cause.name else ""
        if missing and not target.startswith(missing):
            what = f"the Python package that has the module `{missing}` is not installed"
            todo = f"pip install '{package}[{plugin}]', or remove the section `{plugin}`"
        else:
            what = f"its plugin {target} can't be loaded: {cause}"
            todo = f"pip install --force-reinstall {package}"
        super().__init__(plugin, f"{what}; {todo}")
        self.package = package


class NeedNotMet(PluginError):
    """No plugin, or more than one, keeps a promise that its constructor asks for."""


class NeedsInACircle(RoadRunnerError):
    """Plugins that need each other: none can be the first."""

    def __init__(self, circle: Sequence[str]) -> None:
        super().__init__(
            f"the plugins {', '.join(circle)} need each other in a circle, so none of them can start first"
        )
        self.circle = list(circle)


class StartFailed(PluginError):
    """It refused to start."""


class StopFailed(PluginError):
    """Its stop raised; the others were stopped all the same."""

    def __init__(self, plugin: str, cause: Exception) -> None:
        super().__init__(plugin, f"did not stop cleanly: {type(cause).__name__}: {cause}")


class RunFailed(PluginError):
    """It ended in an error after the start."""
