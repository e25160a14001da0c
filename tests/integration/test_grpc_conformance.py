"""The conformance tests of Connect (``connectconformance``) for gRPC and gRPC-Web: unary and server-streaming calls,
plain, with TLS, with client certificates; called by their reference client and by grpc-go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from pyroadrunner.plugins.grpc.schema.compiler import is_installed
from support.go_tools import require_go_tool

TESTS = Path(__file__).parent.parent
SERVER = "support.grpc_conformance.server"
FEATURES = {
    "codecs": ["CODEC_PROTO"],
    "compressions": ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"],
    "streamTypes": ["STREAM_TYPE_UNARY", "STREAM_TYPE_SERVER_STREAM"],
    "supportsTls": True,
    "supportsTlsClientCerts": True,
    "supportsMessageReceiveLimit": True,
}
