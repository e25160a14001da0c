#!/bin/sh
# Install the clients of the tests and the bench that exist only for Node into .cache/node, in the versions of
# scripts/node. They are kept there. Without Node nothing is installed, and the tests that need them are skipped
# with that reason.
set -eu
cd "$(dirname "$0")/.."
home=$PWD/.cache/node wanted=$(cat scripts/node/package.json scripts/node/package-lock.json | cksum)

[ "$(cat "$home/complete" 2>/dev/null || true)" != "$wanted" ] || exit 0
if ! command -v npm >/dev/null 2>&1; then
    echo '== Node is not installed: the tests with its clients are skipped' >&2
    exit 0
fi
echo '== installing clients for Node' >&2
rm -rf "$home"
mkdir -p "$home"
cp scripts/node/package.json scripts/node/package-lock.json "$home"
(cd "$home" && npm ci --silent --ignore-scripts --no-audit --no-fund)
echo "$wanted" >"$home/complete"
