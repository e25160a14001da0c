#!/bin/sh
# Run the server on one of the examples.
#
#   sh scripts/serve.sh NAME [FLAG...]      NAME is a folder of examples/; flags are those of rr serve
set -eu
cd "$(dirname "$0")/.."
name=${1:-hello-php}
[ $# -eq 0 ] || shift
config=examples/$name/.rr.yaml
if [ ! -f "$config" ]; then
    echo "There is no $config; examples are:" >&2
    for file in examples/*/.rr.yaml; do
        [ ! -f "$(dirname "$file")/pyproject.toml" ] || continue # a plugin: see docs/plugins.md
        echo "  make serve EXAMPLE=$(basename "$(dirname "$file")")" >&2
    done
    exit 2
fi
sh scripts/venv.sh
if grep -q 'php' "$config"; then
    php=$(sh scripts/php.sh)
    PATH=$php:$PATH
fi
PATH=$PWD/.venv/bin:$PATH # "python" of an example is the one of .venv
export PATH
exec .venv/bin/rr serve -c "$config" "$@"
