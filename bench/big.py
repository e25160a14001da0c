"""Upload 1 GB as a multipart form and download 1 GB as a stream: the server's memory must stay flat."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator

from bench import rr
from bench.checks import Check, draw
from bench.client import WrongAnswer
from bench.processes import PeakMemory, usage
from bench.subject import WORKERS

PIECE = b"x" * (1 << 18)
PIECES = 4096  # of 256 KB: 1 GiB
SIZE = PIECES * len(PIECE)
BOUNDARY = b"----bench-of-a-large-upload"
HEAD = (
    b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n"
)
TAIL = b"\r\n--" + BOUNDARY + b"--\r\n"
SECONDS = 300.0  # time limit for each


def form() -> Iterator[bytes]:
    """The body of the upload, in chunks."""
    yield HEAD
    for _ in range(PIECES):
        yield PIECE
    yield TAIL


def upload(port: int) -> None:
    """Send the form.

    Raises:
        WrongAnswer: the worker received a different size.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}",
        "Content-Length": str(len(HEAD) + SIZE + len(TAIL)),
    }
    connection.request("POST", "/upload", form(), headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200 or body != str(SIZE).encode():
        raise WrongAnswer(f"the upload of {SIZE} bytes was answered with status {answer.status}: {body[:200]!r}")


def download(port: int) -> None:
    """Read the stream.

    Raises:
        WrongAnswer: the size was different.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", f"/stream?pieces={PIECES}")
    answer = connection.getresponse()
    size = 0
    while piece := answer.read(1 << 20):
        size += len(piece)
    connection.close()
    if answer.status != 200 or size != SIZE:
        raise WrongAnswer(f"the stream of {SIZE} bytes had status {answer.status} and {size} bytes")


def checks() -> list[Check]:
    """Check both on one server; memory growth is measured from before the first."""
    found = []
    settings = {"max_request_size": 2000, "pool": {"num_workers": WORKERS}}
    with rr.serving(worker="big.php", http=settings) as server:
        before = usage(server.roots).server_rss_mb
        for what, move in (("1 GB uploaded", upload), ("1 GB streamed", download)):
            start = time.perf_counter()
            with PeakMemory(server.roots, every_seconds=0.05) as memory:
                move(server.port)
            rate = SIZE / (time.perf_counter() - start) / 1e6
            found.append(
                Check(what=f"{what}: memory grows by", measured=memory.rss_mb - before, most=50, unit="MB", digits=1)
            )
            found.append(Check(what=f"{what}: speed", measured=rate, unit="MB/s"))
    return found


if __name__ == "__main__":
    measured = checks()
    print(draw("Large bodies", measured))
    sys.exit(not all(check.holds for check in measured))
