"""A Mercure hub over TLS and HTTP/2: one connection of a browser carries the streams of all its pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from test_mercure import WORKER, config

from support.http2 import DATA, HEADERS, RST_STREAM, Http2, field, window
from support.mercure import HUB, PATIENCE, publish, subscriber
from support.ports import free_port
from support.server import Server
from support.tls import Authority

STREAMS = 100


@contextmanager
def connected(folder: Path, **mercure: Any) -> Iterator[tuple[Server, Http2]]:
    """A hub, and a connection that takes any number of bytes of all streams together."""
    authority, port = Authority(folder), free_port()
    identity = authority.server()
    (folder / "worker.php").write_text(WORKER)
    given = config(**mercure)
    given["http"]["ssl"] = {
        "address": f"127.0.0.1:{port}",
        "cert": str(identity.cert),
        "key": str(identity.key),
    }
    with (
        Server(folder, given) as server,
        Http2(("127.0.0.1", port), authority.context(alpn="h2"), timeout=PATIENCE) as client,
    ):
        client.send(window(0, 1 << 28))
        yield server, client


def events(client: Http2, count: int) -> dict[int, bytes]:
    """What arrives on so many streams."""
    found: dict[int, bytes] = {}
    for frame in client.frames():
        if frame.kind == HEADERS:
            assert frame.status == 200
        if frame.kind == DATA:
            found[frame.stream] = found.get(frame.stream, b"") + frame.payload
            if len(found) == count:
                return found
    raise AssertionError(f"the connection was closed after {len(found)} streams")


def test_many_streams_over_one_connection(tmp_path: Path) -> None:
    with connected(tmp_path) as (server, client):
        token = field("authorization", f"Bearer {subscriber('private')}")
        streams = [2 * number + 1 for number in range(STREAMS)]
        for number, stream in enumerate(streams):
            client.request(stream, f"{HUB}?topic=all&topic=only/{number}", *([token] if number % 2 else []))
        assert set(events(client, STREAMS).values()) == {b":\n"}
        assert publish(server, "all", "to all", id="urn:1").status == 200
        assert set(events(client, STREAMS).values()) == {b"id: urn:1\ndata: to all\n\n"}
        assert publish(server, ["all", "private"], "to half", private="on", id="urn:2").status == 200
        assert set(events(client, STREAMS // 2)) == set(streams[1::2])
        for number in (0, STREAMS - 1):
            assert publish(server, f"only/{number}", f"for {number}").status == 200
            ((stream, event),) = events(client, 1).items()
            assert stream == streams[number]
            assert event.endswith(f"data: for {number}\n\n".encode())


def test_a_stream_that_is_not_read_ends_and_the_others_of_its_connection_go_on(tmp_path: Path) -> None:
    with connected(tmp_path, dispatch_timeout="2s") as (server, client):
        for stream, topic in ((1, "unread"), (3, "read")):
            client.request(stream, f"{HUB}?topic={topic}")  # the window of a stream takes 65,535 bytes
        events(client, 2)
        for _ in range(30):
            assert publish(server, "unread", "x" * 100_000).status == 200
        for number in range(3):
            assert publish(server, "read", str(number)).status == 200
        seen: Counter[str] = Counter()
        text = b""
        for frame in client.frames():
            if frame.kind == RST_STREAM:
                assert frame.stream == 1
                seen["reset"] += 1
            elif frame.kind == DATA and frame.stream == 3:
                text += frame.payload
            if seen["reset"] and text.endswith(b"data: 2\n\n"):
                break
        assert [line for line in text.split(b"\n") if line.startswith(b"data")] == [b"data: 0", b"data: 1", b"data: 2"]
        assert publish(server, "read", "still here").status == 200
        ((stream, event),) = events(client, 1).items()
        assert (stream, event.endswith(b"data: still here\n\n")) == (3, True)
        server.wait_for("a subscriber was cut: it reads too slowly")
        assert server.stderr.count("a subscriber was cut") == 1
