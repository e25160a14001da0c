#!/bin/sh
# Regenerate src/pyroadrunner/proto from proto/. Needs grpcio-tools at the version below (the "proto" dependency group):
# generated code works with the protobuf library of its own version and all later ones, so an old compiler supports more.
set -eu
cd "$(dirname "$0")/.."
python="${PYTHON:-.venv/bin/python}"
out=src/pyroadrunner/proto
# Temporal's own messages come from the package temporalio (sources and generated modules).
temporal=$("$python" -c 'import pathlib, temporalio; print(pathlib.Path(temporalio.__file__).parent)')
temporal=$(find "$temporal/bridge/sdk-core" -type d -name api_upstream | head -n 1)
"$python" -m grpc_tools.protoc --proto_path=proto --proto_path="$temporal" --python_out="$out" --pyi_out="$out" \
    $(find proto -name '*.proto')
for file in "$out"/temporal/v1/*_pb2.py*; do
    sed 's/^from temporal\.api\./from temporalio.api./' "$file" >"$file.new" && mv "$file.new" "$file"
done
find "$out" -mindepth 1 -type d ! -name __pycache__ -exec touch {}/__init__.py \;
