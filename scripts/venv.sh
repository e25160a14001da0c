#!/bin/sh
# Create .venv and install the project into it, editable.
#
#   sh scripts/venv.sh          the packages for serving
#   sh scripts/venv.sh dev      also those for tests and checks, in the versions of requirements-dev.lock (scripts/lock.sh)
#
# .venv/.installed-* records the pyproject.toml (and lock) and the folder of the installation; a second run then does nothing.
# PYTHON names the interpreter for it; an existing .venv is kept (make clean removes it).
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Whether it was compiled with PGO and LTO: the same server then answers 1.1 times the requests
# (docs/design/2026-11-30-interpreter-build.md). Distributions do so, and ship the flags of another build beside it.
optimized() {
    "$1" -c '
import ensurepip, sys, sysconfig
flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
linked = sys.platform != "linux" or "libpython" in open("/proc/self/maps").read()
by_distribution = bool(sysconfig.get_config_var("Py_ENABLE_SHARED")) and not linked
sys.exit(not ("--enable-optimizations" in flags or by_distribution))' >/dev/null 2>&1
}

find_python() {
    for suits in optimized true; do
        for name in python3.13 python3.12 python3.11 python3 python3.14; do
            for python in "$name" "/usr/bin/$name"; do
                if fits "$python" && $suits "$python"; then
                    return
                fi
            done
        done
    done
    python=''
}

make_venv() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || {
            echo "PYTHON=$PYTHON is not a working Python 3.11 or newer." >&2
            exit 1
        }
        python=$PYTHON
    else
        find_python
    fi
    if [ -z "$python" ]; then
        sh scripts/packages.sh python3=python3 || exit 1
        find_python
    fi
    if [ -z "$python" ]; then
        echo 'Python 3.11 or newer is needed; found:' >&2
        command -v python3 >&2 && python3 --version >&2 || echo '  none' >&2
        echo 'Please install one, or name it: make PYTHON=/path/to/python3.12 ...' >&2
        exit 1
    fi
    echo "== creating .venv with $("$python" --version)" >&2
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then # Debian has them in a package of its own
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        sh scripts/packages.sh "ensurepip=python$version-venv" || exit 1
    fi
    rm -rf .venv
    "$python" -m venv .venv
}

wanted="$want in $PWD for $(cksum <pyproject.toml)"
[ "$want" != dev ] || wanted="$wanted $(cksum <requirements-dev.lock)"
stamp=.venv/.installed-$want
fits .venv/bin/python || make_venv
[ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0

pip() {
    .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input "$@"
}

echo "== installing the project into .venv ($want)" >&2
if [ "$want" = dev ]; then
    pip install --upgrade 'pip>=25.1' # the first that knows dependency groups
    pip install --editable . --group dev --constraint requirements-dev.lock
else
    pip install --editable .
fi
echo "$wanted" >"$stamp"
