"""Memory that a request needs in the server, measured with real PHP workers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.http import request, split
from support.php import require_php
from support.server import Server

WORKER = Path(__file__).parent.parent / "support" / "workers" / "http.php"
MB = 1 << 20
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XbX"
PART = b'--XbX\r\nContent-Disposition: form-data; name="a"\r\n\r\n%b\r\n--XbX--\r\n'
DEEP = b"&".join(b"n%d" % number + b"[k]" * 63 for number in range(9000))

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux says what a process took")


class Memory:
    """The peak memory of a process since the start of the measurement."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")
        self._before = self._read("VmRSS")
        (self._folder / "clear_refs").write_text("5")  # proc(5): resets VmHWM

    def taken(self) -> int:
        """In bytes."""
        return self._read("VmHWM") - self._before

    def _read(self, key: str) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        [line] = [line for line in lines if line.startswith(f"{key}:")]
        return int(line.split()[1]) * 1024


@pytest.fixture(params=["pipes", "unix"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    relay = "pipes" if request.param == "pipes" else f"unix://{tmp_path}/relay.sock"
    command = [require_php(), "-d", "memory_limit=-1", str(WORKER)]
    config = {"server": {"command": command, "relay": relay}, "http": {"pool": {"num_workers": 1}}}
    with Server(tmp_path, config) as running:
        yield running


def ask(server: Server, data: bytes) -> tuple[int, bytes]:
    """Status and body of the response."""
    with socket.create_connection(server.address, timeout=60) as connection:
        connection.sendall(data)
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    status, _, body = split(answer)
    return status, body


def post(megabytes: int, *, chunked: bool) -> bytes:
    """A request whose response is the size of its body."""
    piece = bytes(MB)
    if not chunked:
        return request("POST", "/size", piece * megabytes)
    head = request("POST", "/size", transfer_encoding="chunked")
    return head + (b"%x\r\n" % MB + piece + b"\r\n") * megabytes + b"0\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_raw_body_takes_its_size_plus_16_mb_at_most(server: Server, chunked: bool) -> None:
    # Buffers that the HTTP engine keeps are not counted. For a chunked body the engine also holds some megabytes that
    # it has read ahead, in buffers several times as large; their number is fixed.
    assert ask(server, post(8, chunked=chunked)) == (200, b"%d" % (8 * MB))
    data = post(200, chunked=chunked)
    memory = Memory(server.pid)
    assert ask(server, data) == (200, b"%d" % (200 * MB))
    assert memory.taken() <= (200 + 16 + 16 * chunked) * MB, f"{memory.taken() / MB:.0f} MB"


FORMS = {
    "escapes": (FORM, b"a=" + b"%41" * (7 * MB), 200, 6),
    "bad escapes": (FORM, b"a=" + b"%zz" * (7 * MB), 200, 6),
    "deep names": (FORM, DEEP, 413, 10),
    "a multipart field": (MULTIPART, PART % (b"x" * 21 * MB), 200, 6),
    "a multipart field of line breaks": (MULTIPART, PART % (b"\r\n" * 5 * MB), 200, 6),
}


@pytest.mark.parametrize("server", ["pipes"], indirect=True)
@pytest.mark.parametrize(("content_type", "body", "status", "factor"), FORMS.values(), ids=FORMS)
def test_a_form_takes_a_small_multiple_of_its_size(
    server: Server, content_type: str, body: bytes, status: int, factor: int
) -> None:
    assert (
        ask(server, request("POST", "/pid", b"a=1", content_type=FORM))[0] == 200
    )  # allocate what is allocated only once
    memory = Memory(server.pid)
    assert ask(server, request("POST", "/pid", body, content_type=content_type))[0] == status
    assert memory.taken() <= factor * len(body) + 4 * MB, f"{memory.taken() / MB:.0f} MB"
