#!/bin/sh
# Write requirements-dev.lock: exact versions of all packages for tests, checks and builds (the groups "dev" and "dist" of
# pyproject.toml with their dependencies), for every supported Python on Linux and macOS.
#
#   sh scripts/lock.sh            keep valid versions, add and remove packages by pyproject.toml
#   sh scripts/lock.sh --upgrade  take the newest versions
#
# scripts/venv.sh dev installs under these constraints. Packages come from the index that pip uses.
set -eu
cd "$(dirname "$0")/.."
sh scripts/venv.sh
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM
.venv/bin/python -m venv "$place/uv"
"$place/uv/bin/python" -m pip --quiet --disable-pip-version-check --no-input install 'uv>=0.6,<1'
index=$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)
index=${PIP_INDEX_URL:-$index}
[ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
[ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"

lock=requirements-dev.lock
[ ! -f "$lock" ] || cp "$lock" "$place/lock"
# The group contains the project itself, for its extras: it is this folder, and not part of the result.
echo "pyroadrunner @ file://$PWD" |
    "$place/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 - --group dev --group dist "$@" \
        --no-emit-package pyroadrunner --no-annotate --no-header --output-file "$place/lock"
{
    echo '# Written by scripts/lock.sh from the groups "dev" and "dist" of pyproject.toml.'
    grep -v '^#' "$place/lock"
} >"$lock"
