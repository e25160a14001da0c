#!/bin/sh
# Run all static checks, also after a failure. Needs .venv (scripts/venv.sh dev).
set -u
cd "$(dirname "$0")/.." || exit 1
failed=''

check() {
    echo "== $*"
    name=$1
    shift
    "$@" || failed="$failed $name"
}

bin=.venv/bin
check ruff $bin/ruff check .
check format $bin/ruff format --check .
check mypy $bin/mypy src tests/support bench examples scripts/site packaging/onefile/builder
check layers $bin/lint-imports
[ -z "$failed" ] || {
    echo "failed:$failed" >&2
    exit 1
}
