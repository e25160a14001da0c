"""h2load, the load generator for HTTP/2. Reading its output is pure."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

_FINISHED = re.compile(r"finished in ([0-9.]+)(m?s)")
_REQUESTS = re.compile(r"requests: .*?(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout")
_TRAFFIC = re.compile(r"traffic: .*\((\d+)\) data")
_TIMES = re.compile(r"time for request: +\S+ +\S+ +(\S+?)(us|ms|s) ")  # the third is the mean
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class H2loadFailed(Exception):
    """h2load did not run, or counted nothing."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What h2load saw.

    Attributes:
        data_bytes: of the responses, without headers.
        mean_ms: of a request.
    """

    seconds: float
    requests: int
    errors: int
    data_bytes: int
    mean_ms: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def parse(text: str) -> Load:
    """Read the output.

    Raises:
        H2loadFailed: it has no result.
    """
    finished, requests, traffic = _FINISHED.search(text), _REQUESTS.search(text), _TRAFFIC.search(text)
    if finished is None or requests is None or traffic is None or float(finished[1]) == 0:
        raise H2loadFailed(text[-2000:])
    times = _TIMES.search(text)
    return Load(
        seconds=float(finished[1]) * _UNITS[finished[2]] / 1e3,
        requests=int(requests[1]),
        errors=sum(int(requests[at]) for at in (2, 3, 4)),
        data_bytes=int(traffic[1]),
        mean_ms=float(times[1]) * _UNITS[times[2]] if times is not None else 0.0,
    )


def run(url: str, body: bytes, seconds: float, *, connections: int, streams: int, headers: Sequence[str] = ()) -> Load:
    """Send requests with this body as fast as they are answered.

    Args:
        streams: concurrent requests of a connection.

    Raises:
        H2loadFailed
    """
    with tempfile.NamedTemporaryFile(prefix="bench-body-") as file:
        file.write(body)
        file.flush()
        command = [
            "h2load",
            "-c",
            str(connections),
            "-m",
            str(streams),
            "-D",
            f"{round(seconds * 1000)}ms",
            "-d",
            file.name,
        ]
        for header in headers:
            command += ["-H", header]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    if done.returncode:
        raise H2loadFailed(done.stderr or done.stdout)
    return parse(done.stdout)
