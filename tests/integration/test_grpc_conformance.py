"""The conformance tests of Connect (``connectconformance``) for gRPC and gRPC-Web: unary and server-streaming calls,
plain, with TLS, with client certificates; called by their reference client and by grpc-go."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from pyroadrunner.plugins.grpc.schema.compiler import compile_files
from pyroadrunner.plugins.grpc.schema.reader import read_schema
from support.go_tools import require_go_tool
from support.server import RR, environment

ROOT = Path(__file__).parents[2]
PROTOS = ROOT / ".cache" / "conformance"  # laid there by scripts/go-tools.sh
FEATURES = {
    "codecs": ["CODEC_PROTO"],
    "compressions": ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"],
    "streamTypes": ["STREAM_TYPE_UNARY", "STREAM_TYPE_SERVER_STREAM"],
    "supportsTls": True,
    "supportsTlsClientCerts": True,
    "supportsMessageReceiveLimit": True,
}
GRPC = {"versions": ["HTTP_VERSION_2"], "protocols": ["PROTOCOL_GRPC"]}
WEB = {"versions": ["HTTP_VERSION_1", "HTTP_VERSION_2"], "protocols": ["PROTOCOL_GRPC_WEB"]}


async def descriptors() -> FileDescriptorSet:
    schema, errors = read_schema([str(PROTOS / "connectrpc/conformance/v1/*.proto")])
    assert not errors
    ((_, files),) = (await compile_files(schema.files)).sets
    return FileDescriptorSet(file=files)


class Suite:
    """Runs of ``connectconformance`` with a server command."""

    def __init__(self, folder: Path, protocol: dict[str, Any]) -> None:
        self._folder = folder
        self._tool = require_go_tool("connectconformance")
        (folder / "features.yaml").write_text(yaml.safe_dump({"features": {**FEATURES, **protocol}}))
        (folder / "descriptors").write_bytes(asyncio.run(descriptors()).SerializeToString())
        (folder / "servers").mkdir()
        script = ROOT / "tests/support/grpc_conformance/server.py"
        self._server = [
            sys.executable,
            "-S",
            str(script),
            sys.executable,
            str(RR),
            str(PROTOS),
            str(folder / "servers"),
        ]

    def run(self, *options: str) -> tuple[str, list[str]]:
        """The output, and the names of the cases that failed."""
        own = {"PYTHONPATH": str(ROOT / "tests"), "CONFORMANCE_DESCRIPTORS": str(self._folder / "descriptors")}
        done = subprocess.run(
            [
                self._tool,
                "--mode",
                "server",
                "--conf",
                str(self._folder / "features.yaml"),
                *options,
                "--",
                *self._server,
            ],
            env=environment(own),
            capture_output=True,
            text=True,
        )
        output = done.stdout + done.stderr
        return output, re.findall(r"^FAILED: (.*):$", output, re.MULTILINE)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("protocol", "cases"), [(GRPC, 360), (WEB, 496)], ids=["grpc", "web"])
def test_every_case_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: dict[str, Any], cases: int
) -> None:
    """The tool has limits of its own for the start of a server (ten seconds) and for a call. Cases that fail on a busy
    machine get two more chances, with one server at a time."""
    require_go_tool("connectconformance")
    monkeypatch.chdir(PROTOS)  # the import root
    suite = Suite(tmp_path, protocol)
    output, failed = suite.run("--max-servers", "2")
    passed, bad = map(int, re.findall(r"(\d+) passed, (\d+) failed", output)[0])
    assert (passed + bad, len(failed)) == (cases, bad)
    for _ in range(2):
        if failed:
            names = tmp_path / "failed"
            names.write_text("\n".join(failed))
            output, failed = suite.run("--max-servers", "1", "--run", f"@{names}")
    assert failed == [], output[-4000:]
