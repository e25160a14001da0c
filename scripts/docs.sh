#!/bin/sh
# Build the documentation into build/site. Arguments are passed to mkdocs: `sh scripts/docs.sh serve` shows it while you write.
set -eu
cd "$(dirname "$0")/.."
sh scripts/venv.sh dev
[ $# -gt 0 ] || set -- build --quiet --clean
.venv/bin/python -m scripts.site.pages build/docs
NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs "$@"
[ "$1" != build ] || echo "== build/site/index.html"
