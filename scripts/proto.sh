#!/bin/sh
# Regenerate src/pyroadrunner/proto from proto/. Needs grpcio-tools at the version below (the "proto" dependency group):
# generated code works with the protobuf library of its own version and all later ones, so an old compiler supports more.
set -eu
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
out=src/pyroadrunner/proto
"$python" -m grpc_tools.protoc --proto_path=proto --python_out="$out" --pyi_out="$out" $(find proto -name '*.proto')
find "$out" -mindepth 1 -type d ! -name __pycache__ -exec touch {}/__init__.py \;
