"""The command that ``connectconformance`` starts: reads what the server must be, writes its address, becomes ``rr``.

    python -S server.py PYTHON RR PROTOS FOLDER

PROTOS has ``connectrpc/conformance/v1/*.proto``; FOLDER gets a folder per server, with its config and its log.

``connectconformance`` gives a server ten seconds to start, which may be too short on a busy machine. So this script
imports next to nothing, and decodes the request itself. It opens the socket and passes it on (socket activation), and
after eight seconds it writes the address in any case: the first connections then wait for the server.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time

_BEGAN = time.monotonic()
_READY = b"RoadRunner server started"
_PATIENCE = 8.0  # seconds
_FIRST = 3  # SD_LISTEN_FDS_START
_GRPC_WEB = 3  # of the enum Protocol


def fields(data: bytes) -> dict[int, int | bytes]:
    """The fields of a message; here none is repeated, and all are varints, strings or messages."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            found[tag >> 3], at = data[at : at + value], at + value
        else:
            found[tag >> 3] = value
    return found


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def encoded(number: int, value: int | bytes) -> bytes:
    """A field of a message."""
    if isinstance(value, int):
        return number_of(number << 3) + number_of(value)
    return number_of(number << 3 | 2) + number_of(len(value)) + value


def number_of(value: int) -> bytes:
    low = bytes((value & 0x7F | (0x80 if value > 0x7F else 0),))
    return low + (number_of(value >> 7) if value > 0x7F else b"")


def content(fields: dict[int, int | bytes], number: int) -> bytes:
    value = fields.get(number, b"")
    assert isinstance(value, bytes)
    return value


def main(python: str, rr: str, protos: str, folder: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    request = fields(sys.stdin.buffer.read(size))  # ServerCompatRequest
    os.chdir(folder)
    os.mkdir(str(port))
    os.chdir(str(port))
    tls, certificate = {}, b""
    if request.get(4):  # use_tls
        pair = fields(content(request, 7))
        certificate = content(pair, 1)
        tls = {"cert": put("server.crt", certificate), "key": put("server.key", content(pair, 2))}
        if client := content(request, 5):
            tls |= {"root_ca": put("client.crt", client), "client_auth_type": "require_and_verify_client_cert"}
    limit = request.get(6, 0)
    assert isinstance(limit, int)
    config = {
        "version": "3",
        "rpc": {"listen": f"unix://{os.getcwd()}/rpc.sock"},
        "server": {"command": [python, "-m", "support.grpc_conformance.worker"]},
        "grpc": {
            "listen": f"127.0.0.1:{port}",
            "proto": f"{protos}/connectrpc/conformance/v1/service.proto",
            "max_recv_msg_size": limit / (1 << 20),
            "max_concurrent_streams": 1000,
            "tls": tls,
            "web": {"enabled": request.get(1) == _GRPC_WEB},
            "pool": {"num_workers": 2},
        },
    }
    put(".rr.yaml", json.dumps(config).encode())
    log = os.open(put("log", b""), os.O_WRONLY | os.O_APPEND)
    if not os.fork():
        listener.close()
        response = encoded(1, b"127.0.0.1") + encoded(2, port) + encoded(3, certificate)  # ServerCompatResponse
        tell(len(response).to_bytes(4, "big") + response)
        os._exit(0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.dup2(listener.fileno(), 100), _FIRST)
    os.execve(rr, [rr, "serve"], {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})


def put(name: str, data: bytes) -> str:
    """Write a file; returns its name."""
    with open(name, "wb") as file:
        file.write(data)
    return name


def tell(response: bytes) -> None:
    """Write the response when the server is ready, or when it is time."""
    while time.monotonic() < _BEGAN + _PATIENCE:
        with open("log", "rb") as log:
            if _READY in log.read():
                break
        time.sleep(0.02)
    os.write(1, response)


main(*sys.argv[1:])
