"""Errors of ``jobs``. PHP shows the texts, which are RoadRunner's; its operations are named outermost first:
``rpc_push:\\n\\tjobs_plugin_push: <why>``."""

from __future__ import annotations

from pyroadrunner.errors import RoadRunnerError


class JobsError(RoadRunnerError):
    """A call was refused, or a pipeline failed."""


class NoSuchPipeline(JobsError):
    """No pipeline has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such pipeline, requested: {name}")
        self.name = name


class EmptyId(JobsError):
    """A pushed job has no id."""

    def __init__(self) -> None:
        super().__init__("rpc_push: empty ID field not allowed")


class CallFailed(JobsError):
    """An error with the operations that led to it."""

    def __init__(self, operations: str, why: object) -> None:
        super().__init__(f"{operations}: {why}")


class NoDriverNamed(JobsError):
    """A declaration without a driver."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "rpc_declare_pipeline:\n\tjobs_plugin_declare: no associated driver with the pipeline, "
            f"pipeline name: {name}"
        )


class AlreadyDeclared(JobsError):
    """A pipeline with this name exists."""

    def __init__(self, name: str, driver: str) -> None:
        super().__init__(f"rpc_declare_pipeline: pipeline already exists, name: {name}, driver: {driver}")


class BadDeclaration(JobsError):
    """A declaration that can't be used; RoadRunner accepts some of them and creates nothing."""

    def __init__(self, why: object) -> None:
        super().__init__(f"rpc_declare_pipeline:\n\tjobs_plugin_declare: {why}")


class DeclarationRefused(JobsError):
    """The broker refuses the settings of a declared pipeline."""

    def __init__(self, driver: str, why: str) -> None:
        super().__init__(f"rpc_declare_pipeline:\n\tjobs_plugin_declare:\n\t{driver}_declare: {why}")


class NotRunning(JobsError):
    """Nothing to pause."""

    def __init__(self) -> None:
        super().__init__("no active listeners, nothing to pause")


class AlreadyRunning(JobsError):
    """Nothing to resume."""

    def __init__(self, driver: str) -> None:
        super().__init__(f"{driver} listener is already in the active state")


class NotConnected(JobsError):
    """The broker was not reachable within the time limit."""

    def __init__(self, name: str, waited: float, state: str) -> None:
        super().__init__(f"the pipeline {name} has no connection to its broker after {waited:g} s: {state}")


class PipelineClosed(JobsError):
    """The pipeline was destroyed, or the server stops."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the pipeline {name} is closed")


class NoAnswer(JobsError):
    """The broker did not answer within the time limit; it may still have done what was asked."""

    def __init__(self, name: str, limit: float) -> None:
        super().__init__(f"the broker of the pipeline {name} did not answer within {limit:g} s")


class DriverNotInstalled(JobsError):
    """The Python package that a driver needs is not installed."""

    def __init__(self, name: str, driver: str, extra: str, module: str) -> None:
        todo = f"; pip install 'pyroadrunner[{extra}]'" if extra else ""
        super().__init__(
            f"jobs.pipelines.{name}: the driver {driver} needs a Python package with the module `{module}`{todo}"
        )


class BrokersMissing(JobsError):
    """``jobs.require_brokers`` is set, and a broker is not reachable."""

    def __init__(self, failed: dict[str, str]) -> None:
        lines = "\n".join(f"  {name}: {why}" for name, why in failed.items())
        super().__init__(f"jobs.require_brokers is set, and these pipelines have no connection:\n{lines}")
