"""Settings of the driver ``beanstalk``, with RoadRunner's keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import Duration
from pyroadrunner.net.address import InvalidAddress, parse_address
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch

_TUBE = re.compile(r"[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]{0,199}")


class BeanstalkSection(msgspec.Struct, kw_only=True, frozen=True):
    """``beanstalk``: the beanstalkd of all pipelines with this driver."""

    addr: str = "tcp://127.0.0.1:11300"
    """`tcp://host:port` or `unix://path`."""
    timeout: Duration = 30.0
    """Time limit for connecting, and the time to run (TTR) of pushed jobs: beanstalkd gives a job to another consumer
    when its consumer was silent for so long. The server extends it while a job waits or runs. 0: 30s."""

    def faults(self) -> Iterable[tuple[str, str]]:
        try:
            parse_address(self.addr, default_scheme="tcp")
        except InvalidAddress:
            yield "addr", "is not a valid address; write tcp://host:port or unix://path"


class BeanstalkConfig(PipelineConfig, kw_only=True, frozen=True):
    """A tube."""

    tube: str = "default"
    """Name of the tube."""
    tube_priority: Annotated[int, Meta(ge=0, le=4_294_967_295)] = 0
    """beanstalkd's priority of pushed jobs; lower numbers are received first. Not the priority of a job, by which
    received jobs run."""
    reserve_timeout: Duration = 1.0
    """How long one wait for a job lasts, in whole seconds; then the server waits again. `jobs.Declare`: seconds."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker or run; the others stay on beanstalkd. Not in RoadRunner, which has no limit."""
    consume_all: bool = False
    """Accepted and ignored: jobs of other programs are always consumed."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not _TUBE.fullmatch(self.tube):
            yield "tube", "is not a valid name: up to 200 of A-Z a-z 0-9 + / ; . $ _ ( ) -, and no - in front"


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """``jobs.Declare`` has whole seconds in ``reserve_timeout``."""
    seconds = values.get("reserve_timeout", "")
    return {**values, "reserve_timeout": f"{seconds}s"} if seconds.isdecimal() else values


DRIVER = DriverInfo(
    config=BeanstalkConfig,
    make="pyroadrunner.plugins.jobs.drivers.beanstalk.driver:BeanstalkDriver",
    section="beanstalk",
    section_config=BeanstalkSection,
    declared=_declared,
)
