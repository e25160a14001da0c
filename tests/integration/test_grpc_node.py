"""@grpc/grpc-js, an implementation of gRPC in JavaScript alone, as a client."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.grpc_site import GrpcSite
from support.node import require_node

SCRIPT = Path(__file__).parent.parent / "support" / "grpc_client.js"


def test_calls_and_streams_of_grpc_js(tmp_path: Path) -> None:
    node, env = require_node()
    with GrpcSite(tmp_path, workers=2) as site:
        done = subprocess.run(
            [node, str(SCRIPT), site.target, env["NODE_PATH"]], capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
    assert (seen["echo"]["code"], seen["echo"]["response"]) == (0, "hello")
    assert seen["large"] == 300_000
    assert seen["context"]["x-a"] == ["1"]
    assert seen["context"]["x-b-bin:base64"] == ["/wA="]
    assert seen["context"]["user-agent"][0].startswith("grpc-node-js/")
    assert (seen["error"]["code"], seen["error"]["details"]) == (5, "missing")
    assert seen["trailers"]["headers"]["x-h"] == "1"
    assert seen["trailers"]["trailers"]["x-t"] == "2"
    assert seen["deadline"] == 4
    assert seen["frames"] == {"messages": ["one", "two", "three"], "code": 0}
    assert len(seen["cancelled"]["messages"]) >= 5
    assert seen["cancelled"]["code"] == 1
    assert seen["parallel"] == [str(number) for number in range(50)]
