"""The command that ``connectconformance`` starts: reads what the server must be, starts it, writes its address.

    python -m support.grpc_conformance.server FOLDER      FOLDER has connectrpc/conformance/v1/*.proto
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

from support.grpc_conformance.messages import message
from support.server import Server, free_port

_PROTOCOL_GRPC_WEB = 3


def main() -> None:
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    request = message("ServerCompatRequest").FromString(sys.stdin.buffer.read(size))
    port = free_port()
    section = {
        "listen": f"127.0.0.1:{port}",
        "proto": [f"{sys.argv[1]}/connectrpc/conformance/v1/service.proto"],
        "max_recv_msg_size": request.message_receive_limit / (1 << 20),
        "max_concurrent_streams": 1000,
        "web": {"enabled": request.protocol == _PROTOCOL_GRPC_WEB},
        "pool": {"num_workers": 4},
    }
    response = message("ServerCompatResponse")(host="127.0.0.1", port=port)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if request.use_tls:
            for file, content in (("server.crt", request.server_creds.cert), ("server.key", request.server_creds.key)):
                (folder / file).write_bytes(content)
            section["tls"] = {"cert": "server.crt", "key": "server.key"}
            if request.client_tls_cert:
                (folder / "client.crt").write_bytes(request.client_tls_cert)
                section["tls"] |= {"root_ca": "client.crt", "client_auth_type": "require_and_verify_client_cert"}
            response.pem_cert = request.server_creds.cert
        config = {
            "server": {"command": [sys.executable, "-m", "support.grpc_conformance.worker"]},
            "grpc": section,
            "logs": {"level": "warn"},
        }
        with Server(folder, config) as server:
            data = response.SerializeToString()
            sys.stdout.buffer.write(len(data).to_bytes(4, "big") + data)
            sys.stdout.buffer.flush()
            signal.sigwait([signal.SIGTERM, signal.SIGINT])
            server.stop()
            if "CONFORMANCE_LOG" in os.environ:
                with open(os.environ["CONFORMANCE_LOG"], "a", encoding="utf-8") as log:
                    log.write(server.stderr)


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
main()
