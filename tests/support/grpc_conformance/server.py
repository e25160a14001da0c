"""The command that ``connectconformance`` starts: reads what the server must be, writes its address, becomes ``rr``.

    python -m support.grpc_conformance.server PROTOS FOLDER

PROTOS has ``connectrpc/conformance/v1/*.proto``; FOLDER gets a folder per server, with its config and its log.

``connectconformance`` gives a server ten seconds to start, which may be too short on a busy machine. So the socket is
opened here and passed on (socket activation), and after eight seconds the address is written in any case: the first
connections then wait for the server.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from support.grpc_conformance.messages import message
from support.server import READY, RR, environment

_FIRST = 3  # SD_LISTEN_FDS_START
_PROTOCOL_GRPC_WEB = 3
_PATIENCE = 8.0  # seconds


def main(protos: str, folder: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    request = message("ServerCompatRequest").FromString(sys.stdin.buffer.read(size))
    section: dict[str, Any] = {
        "listen": f"127.0.0.1:{port}",
        "proto": f"{protos}/connectrpc/conformance/v1/service.proto",
        "max_recv_msg_size": request.message_receive_limit / (1 << 20),
        "max_concurrent_streams": 1000,
        "web": {"enabled": request.protocol == _PROTOCOL_GRPC_WEB},
        "pool": {"num_workers": 2},
    }
    response = message("ServerCompatResponse")(host="127.0.0.1", port=port)
    if request.use_tls:
        (folder / "server.crt").write_bytes(request.server_creds.cert)
        (folder / "server.key").write_bytes(request.server_creds.key)
        section["tls"] = {"cert": "server.crt", "key": "server.key"}
        response.pem_cert = request.server_creds.cert
        if request.client_tls_cert:
            (folder / "client.crt").write_bytes(request.client_tls_cert)
            section["tls"] |= {"root_ca": "client.crt", "client_auth_type": "require_and_verify_client_cert"}
    config = {
        "version": "3",
        "rpc": {"listen": f"unix://{folder}/rpc.sock"},
        "server": {"command": [sys.executable, "-m", "support.grpc_conformance.worker"]},
        "grpc": section,
    }
    (folder / ".rr.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    log = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    if not os.fork():
        listener.close()
        _tell(response.SerializeToString(), folder / "log")
        os._exit(0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    moved = os.dup2(listener.fileno(), 100)
    os.dup2(moved, _FIRST)
    os.chdir(folder)
    os.execve(RR, [str(RR), "serve"], environment({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}))


def _tell(response: bytes, log: Path) -> None:
    """Write the response when the server is ready, or when it is time."""
    until = time.monotonic() + _PATIENCE
    while READY not in log.read_text("utf-8", "replace") and time.monotonic() < until:
        time.sleep(0.02)
    os.write(1, len(response).to_bytes(4, "big") + response)


main(sys.argv[1], Path(tempfile.mkdtemp(dir=sys.argv[2])))
