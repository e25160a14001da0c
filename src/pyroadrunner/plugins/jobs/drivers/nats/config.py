"""Settings of the driver ``nats``: the section ``nats`` and those of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.plugins.jobs.drivers.contract import DriverInfo, PipelineConfig, Prefetch

_SCHEMES = ("nats", "tls")
_NOT_IN_NAMES = set(" \t\r\n.*>/\\")  # of streams and consumers
_NOT_IN_SUBJECTS = set(" \t\r\n")


class NatsTls(msgspec.Struct, kw_only=True, frozen=True):
    """TLS (1.2 or newer) to the broker."""

    root_ca: str = ""
    """File with certificate authorities to trust besides those of the system."""
    cert: str = ""
    """File with the client's certificate (with `key`), if the broker requires one."""
    key: str = ""
    """File with the private key of `cert`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """The problems of the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)


class NatsSection(msgspec.Struct, kw_only=True, frozen=True):
    """``nats``: the broker of all pipelines with this driver."""

    addr: str = "nats://127.0.0.1:4222"
    """`nats://user:password@host:port`, `nats://token@host:port`, or `tls://` for TLS; commas separate the servers of a
    cluster."""
    tls: NatsTls | None = None
    """Certificates; if present, connect with TLS. Not in RoadRunner."""

    @property
    def servers(self) -> list[str]:
        """Their URLs."""
        found = [one.strip() for one in self.addr.split(",") if one.strip()]
        return [one if "://" in one else f"nats://{one}" for one in found]

    def faults(self) -> Iterable[tuple[str, str]]:
        """Addresses that can't be used."""
        if not self.servers:
            yield "addr", "names no server"
        for server in self.servers:
            url = urlsplit(server)
            if url.scheme not in _SCHEMES:
                yield "addr", "has to begin with nats:// or tls://"
                continue
            try:
                known = url.hostname, url.port
            except ValueError as wrong:
                yield "addr", f"is no address: {wrong}"
                continue
            if not known[0]:
                yield "addr", "names no host"

    def absent(self) -> Iterable[tuple[str, str]]:
        """TLS files that can't be used."""
        yield from self._tls_problems(fatal=True)

    def doubtful(self) -> Iterable[tuple[str, str]]:
        """A certificate that is expired or not yet valid."""
        yield from self._tls_problems(fatal=False)

    def _tls_problems(self, *, fatal: bool) -> Iterable[tuple[str, str]]:
        for problem in self.tls.problems() if self.tls is not None else ():
            if problem.fatal is fatal:
                yield f"tls.{problem.key}", problem.message


class NatsConfig(PipelineConfig, kw_only=True, frozen=True):
    """A pipeline with a subject of a stream."""

    subject: str = "default"
    """Jobs are published with this subject, and those of this subject are received."""
    stream: str = "default-stream"
    """The stream that keeps them. It is created if it does not exist, and gets the subject if it lacks it; nothing else
    of it is changed."""
    prefetch: Prefetch = 10
    """Jobs that may wait for a worker or run; the others stay in the stream. `jobs.Declare`: 100."""
    deliver_new: bool = False
    """When the pipeline's consumer is created, begin with jobs that are pushed from then on. Otherwise with the oldest
    one of the stream. RoadRunner ignores it."""
    delete_after_ack: bool = False
    """Delete a job from the stream when it is done. Otherwise the limits of the stream decide."""
    delete_stream_on_stop: bool = False
    """Delete the stream, with its jobs, when the pipeline or the server stops."""
    ack_wait: Annotated[int, Meta(ge=1)] = 30
    """Seconds after which the broker delivers a job again whose server has gone. A server that lives extends them while
    it holds the job."""
    consumer: str = ""
    """Name of the durable consumer; servers with the same one share the jobs. Empty: the name of the pipeline. Not in
    RoadRunner."""
    rate_limit: Any = None
    """Accepted and ignored, as in RoadRunner."""
    consume_all: Any = None
    """Accepted and ignored, as in RoadRunner: jobs of other programs are always accepted."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if not self.subject or _NOT_IN_SUBJECTS & set(self.subject):
            yield "subject", "is empty or has a space"
        if not self.stream or _NOT_IN_NAMES & set(self.stream):
            yield "stream", "is empty, or has a dot, a space, a slash or a wildcard"
        if _NOT_IN_NAMES & set(self.consumer):
            yield "consumer", "has a dot, a space, a slash or a wildcard"


def _declared(values: Mapping[str, str]) -> Mapping[str, Any]:
    """A declaration has another default (RoadRunner's)."""
    return {"prefetch": "100", **values}


DRIVER = DriverInfo(
    config=NatsConfig,
    make="pyroadrunner.plugins.jobs.drivers.nats.driver:NatsDriver",
    section="nats",
    section_config=NatsSection,
    modules=("nats",),
    extra="nats",
    declared=_declared,
)


def durable_name(name: str) -> str:
    """The name of a pipeline as one of a consumer, which knows fewer characters."""
    return "".join("_" if character in _NOT_IN_NAMES else character for character in name)
