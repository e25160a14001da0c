"""Settings of the driver ``redis``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from pyroadrunner.config.values import Duration
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch
from pyroadrunner.remote.redis.config import RedisConfig


class RedisJobsConfig(PipelineConfig, kw_only=True, frozen=True):
    """A queue in Redis (6.2 or newer): a stream, and a sorted set for delayed jobs. Not in RoadRunner."""

    queue: str = "default"
    """Name of the queue. Its keys are `<prefix>:{<queue>}` and `<prefix>:{<queue>}:delayed`."""
    prefix: str = "rr.jobs"
    """Prefix of the keys."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker or run; the others stay in Redis."""
    visibility_timeout: Duration = 30.0
    """Another server takes a job over when its server was silent for so long. While a job waits or runs, its server
    extends this time."""
    max_items: Annotated[int, Meta(ge=0)] = 1_000_000
    """Jobs that the queue may hold, delayed ones included; one more is refused. 0 = no limit."""
    redis: RedisConfig | None = None
    """Connection to Redis; absent = the section `redis`, else its defaults."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.queue or set(self.queue) & set("{}"):
            yield "queue", "should be a name without braces"
        if not self.prefix or set(self.prefix) & set("{}"):
            yield "prefix", "should be a text without braces"
        if self.visibility_timeout < 1:
            yield "visibility_timeout", "should be at least 1s"


DRIVER = DriverInfo(
    config=RedisJobsConfig,
    make="pyroadrunner.plugins.jobs.drivers.redis.driver:RedisDriver",
    section="redis",
    section_config=RedisConfig,
    modules=("redis", "hiredis"),
    extra="redis",
)
