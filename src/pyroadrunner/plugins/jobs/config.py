"""The ``jobs`` section: pipelines with names chosen by the user, each with a driver, and the pool that runs their jobs.

The models of the pipelines are made from the installed drivers, so a driver of another package is checked, and
described by the JSON Schema, like those of this one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Union, cast

import msgspec
from msgspec import Meta
from msgspec.structs import force_setattr

from pyroadrunner.config.section import suggest
from pyroadrunner.config.values import Duration, StringList
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig
from pyroadrunner.plugins.jobs.installed import installed_drivers
from pyroadrunner.workers.config import Count, PoolConfig
from pyroadrunner.workers.partial_config import PartialPoolConfig

_TIMEOUT, _PIPELINE_SIZE, _PARALLELISM = 60, 1_000_000, 10


class BackoffConfig(msgspec.Struct, kw_only=True, frozen=True):
    """The wait before a failed job runs again: it doubles with each attempt."""

    initial: Duration = 1.0
    """Wait after the first failed attempt. Delays are rounded up to whole seconds."""
    max: Duration = 300.0
    """Longest wait."""


class Pipeline(msgspec.Struct, kw_only=True, frozen=True):
    """What every pipeline has, whatever its driver."""

    config: PipelineConfig
    """Settings of the driver."""
    pool: PartialPoolConfig | str | None = None
    """A pool of its own for this pipeline; missing keys come from `jobs.pool`. Or the name of a pipeline that has one:
    both share it. Absent: `jobs.pool` runs its jobs. Not in RoadRunner."""
    concurrency: Count = 0
    """Jobs of this pipeline that may run at the same time; 0 = no limit but the workers. Not in RoadRunner."""
    max_attempts: Count = 0
    """How often a job may fail; then it goes to `dead_letter`, or without one is dropped and logged. 0 = no limit. Not
    in RoadRunner."""
    backoff: BackoffConfig = BackoffConfig()
    dead_letter: str = ""
    """Pipeline for jobs that have failed for good. Not in RoadRunner."""


def pipeline_model(name: str, info: DriverInfo) -> type[Pipeline]:
    """The model of the pipelines of a driver."""
    required = any(field.required for field in msgspec.structs.fields(info.config))
    config: Any = ("config", info.config) if required else ("config", info.config, msgspec.field(default=info.config()))
    made = msgspec.defstruct(
        f"{name.capitalize()}Pipeline",
        [config],
        bases=(Pipeline,),
        namespace={"__doc__": f"A pipeline of the driver {name}."},
        kw_only=True,
        frozen=True,
        tag_field="driver",
        tag=name,
    )
    return cast("type[Pipeline]", made)


MODELS = {name: pipeline_model(name, info) for name, info in installed_drivers().items()}
if TYPE_CHECKING:
    AnyPipeline = Pipeline
else:
    AnyPipeline = Union[tuple(MODELS.values())]  # noqa: UP007 - made at run time


class OptionsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``jobs.options``."""

    parallelism: Count = 5
    """Pipelines that are started or stopped at the same time; 0: 5."""

    def __post_init__(self) -> None:
        if not self.parallelism:
            force_setattr(self, "parallelism", 5)


class JobsConfig(msgspec.Struct, kw_only=True, frozen=True):
    """``jobs``: queues and their consumers."""

    num_pollers: Any = None
    """Accepted and ignored, as in RoadRunner."""
    timeout: Annotated[int, Meta(ge=0)] = _TIMEOUT
    """Seconds for each push, pause, resume and stop of a pipeline, including the wait for a connection. 0: 60."""
    pipeline_size: Annotated[int, Meta(ge=0)] = _PIPELINE_SIZE
    """Jobs that may wait in the server for a worker; then drivers fetch no more until half of them have run. 0:
    1000000."""
    options: OptionsConfig = OptionsConfig(parallelism=_PARALLELISM)
    pool: PoolConfig = PoolConfig()
    consume: StringList = msgspec.field(default_factory=list)
    """Pipelines whose jobs run from the start on. Empty: the server only pushes, and starts no workers."""
    pipelines: dict[str, AnyPipeline] = msgspec.field(default_factory=dict)
    require_brokers: bool = False
    """Refuse to start when a broker can't be reached, as RoadRunner does. Otherwise the pipeline connects later."""

    def __post_init__(self) -> None:
        for key, default in (("timeout", _TIMEOUT), ("pipeline_size", _PIPELINE_SIZE)):
            if not getattr(self, key):
                force_setattr(self, key, default)

    def faults(self) -> Iterable[tuple[str, str]]:
        """Dead letter pipelines and pools that do not exist."""
        for name, pipeline in self.pipelines.items():
            if isinstance(pipeline.pool, str) and self.pool_of(name) == "jobs":
                owners = [other for other, one in self.pipelines.items() if isinstance(one.pool, PartialPoolConfig)]
                hint = suggest(pipeline.pool.lower(), owners)
                why = f'is "{pipeline.pool}", no pipeline with a pool of its own{hint and f"; {hint}"}'
                yield f"pipelines.{name}.pool", why
            target = pipeline.dead_letter.lower()
            if target and target not in self.pipelines:
                hint = suggest(target, self.pipelines)
                why = f'is "{pipeline.dead_letter}", no pipeline of this config{hint and f"; {hint}"}'
                yield f"pipelines.{name}.dead_letter", why
            elif target == name:
                yield f"pipelines.{name}.dead_letter", "names the pipeline itself"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """Names that are consumed only once something has declared them."""
        for at, name in enumerate(self.consume):
            if name.lower() not in self.pipelines:
                hint = suggest(name.lower(), self.pipelines) or "its jobs run once it is declared over RPC"
                yield f"consume.{at}", f'is "{name}", no pipeline of this config; {hint}'

    def elsewhere(self) -> Iterable[tuple[str, type[msgspec.Struct]]]:
        """The global sections of the drivers."""
        for info in installed_drivers().values():
            if info.section_config is not None:
                yield info.section, info.section_config

    def consumed(self, name: str) -> bool:
        """Whether the jobs of a pipeline run from the start on. Keys of a config are lower-case, names in a list are
        not."""
        return name.lower() in {listed.lower() for listed in self.consume}

    def pools(self) -> dict[str, PoolConfig]:
        """All pools by name, the default pool first."""
        own = {
            f"jobs.{name}": one.pool.over(self.pool)
            for name, one in self.pipelines.items()
            if isinstance(one.pool, PartialPoolConfig)
        }
        return {"jobs": self.pool, **own}

    def pool_of(self, name: str) -> str:
        """Name of the pool that runs the jobs of a pipeline."""
        found = self.pipelines.get(name)
        if found is not None and isinstance(found.pool, str):
            name = found.pool.lower()
            found = self.pipelines.get(name)
        return f"jobs.{name}" if found is not None and isinstance(found.pool, PartialPoolConfig) else "jobs"


def driver_of(pipeline: Pipeline) -> str:
    """Name of the driver."""
    return str(type(pipeline).__struct_config__.tag)
