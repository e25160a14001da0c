"""Settings of the driver ``sql``: the section ``sql`` and its pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from pyroadrunner.config.values import Duration
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch

Dsn = Annotated[str, Meta(pattern=r"^(postgres(ql)?://|sqlite:///.)")]


class SqlSection(msgspec.Struct, kw_only=True, frozen=True):
    """``sql``: the database of the pipelines with the driver `sql`."""

    dsn: Dsn = "postgresql://postgres@127.0.0.1:5432/postgres"
    """The database: `postgresql://user:password@host:port/name` with the parameters of libpq, such as
    `?sslmode=verify-full&sslrootcert=ca.pem`, or `sqlite:///relative/file.db`, `sqlite:////absolute/file.db`."""
    lease: Annotated[Duration, Meta(ge=1)] = 30.0
    """PostgreSQL: how long after its last sign of life a server counts as dead, and others get its jobs."""
    notify: bool = True
    """PostgreSQL: tell other servers of new jobs. Otherwise they look once a second."""


class SqlConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline in a table of PostgreSQL or SQLite."""

    queue: str = ""
    """Name in the column `queue`; pipelines with the same name share jobs. Empty: the name of the pipeline."""
    prefetch: Prefetch = 100
    """Jobs that may wait for a worker here or run; the others stay in the database."""
    dsn: Annotated[str, Meta(pattern=r"^(postgres(ql)?://|sqlite:///.|$)")] = ""
    """A database of its own. Empty: that of the section `sql`."""


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    return values


DRIVER = DriverInfo(
    config=SqlConfig,
    make="pyroadrunner.plugins.jobs.drivers.sql.driver:SqlDriver",
    section="sql",
    section_config=SqlSection,
    modules=("asyncpg",),
    extra="sql",
)
