"""The conformance suite of HTTP/2, without and with TLS."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.go_tools import require_go_tool
from support.php import require_php
from support.server import Server, free_port
from support.tls import Authority

WORKER = Path(__file__).parent.parent / "support" / "workers" / "context.php"

# Priorities are deprecated (RFC 9113, section 5.3) and not implemented. Bytes that begin neither as HTTP/2 nor as
# HTTP/1.1 get the HTTP/1.1 response 400, where the suite expects only a closed connection.
EXPECTED = {
    "Sends invalid connection preface",
    "Sends HEADERS frame that depend on itself",
    "Sends PRIORITY frame that depend on itself",
}


def failures(report: str) -> set[str]:
    """The failed cases. A reset connection counts as closed, which is what such a case expects."""
    found = re.findall(r"\N{MULTIPLICATION SIGN} \d+: (.+)((?:\n(?!\W*\d+: ).+)*)", report)
    return {name for name, details in found if "connection reset by peer" not in details}


def test_everything_in_http2_except_deprecated_features(tmp_path: Path) -> None:
    h2spec = require_go_tool("h2spec")
    identity = Authority(tmp_path).server()
    port = free_port()
    config = {
        "server": {"command": [require_php(), str(WORKER)]},
        "http": {
            "pool": {"num_workers": 2},
            "http2": {"h2c": True},
            "ssl": {"address": f"127.0.0.1:{port}", "cert": str(identity.cert), "key": str(identity.key)},
        },
        "logs": {"level": "panic"},
    }
    with Server(tmp_path, config) as server:
        runs = [
            subprocess.Popen([h2spec, *options, "-h", "127.0.0.1"], stdout=subprocess.PIPE, text=True)
            for options in (["-p", str(server.address[1])], ["-t", "-k", "-p", str(port)])
        ]
        for one in runs:
            said, _ = one.communicate(timeout=60)
            assert "145 tests, " in said, said
            assert " 0 skipped" in said, said
            assert failures(said) <= EXPECTED, said
