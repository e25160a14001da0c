"""Applications write to the server's log."""

from __future__ import annotations

import json
from pathlib import Path

from pyroadrunner.proto.applogger.v1.applogger_pb2 import LogAttrs, LogEntry, Response
from pyroadrunner.sdk.rpc import RpcClient
from support.server import Server

LEVELS = {"Error": "error", "Info": "info", "Warning": "warn", "Debug": "debug"}


def test_every_method_writes_its_line(tmp_path: Path) -> None:
    config = {"logs": {"mode": "production", "output": "app.log"}}
    strange = [LogAttrs(key=key, value="v") for key in ("a", "self", "message")]
    with Server(tmp_path, config) as server, RpcClient(server.rpc) as client:
        for method in LEVELS:
            assert client.call(f"app.{method}", f"plain {method}") is False
            entry = LogEntry(message=f"context {method}", log_attrs=strange)
            assert client.call_message(f"app.{method}WithContext", entry, Response) == Response()
        assert client.call("app.Log", "raw ä|") is False
        entry = LogEntry(message="some", log_attrs=[LogAttrs(key="k", value="v"), LogAttrs(key="k2", value="v2")])
        client.call_message("app.LogWithContext", entry, Response)
        client.call_message("app.LogWithContext", LogEntry(message="|none"), Response)
        server.wait_for("raw ä|some k:v,k2:v2|none")
    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    mine = [line for line in lines if line["logger"] == "app"]
    assert [(line["level"], line["msg"]) for line in mine] == [
        (level, f"{kind} {method}") for method, level in LEVELS.items() for kind in ("plain", "context")
    ]
    assert {key: mine[1][key] for key in ("a", "self", "message")} == {"a": "v", "self": "v", "message": "v"}
