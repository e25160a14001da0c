#!/bin/sh
# Build sdist and wheel into dist/, then test them like a user, outside of this checkout: install the wheel in a new
# environment, run the first example of the README word for word, serve the example from the sdist.
set -eu
cd "$(dirname "$0")/.."
checkout=$PWD
sh scripts/venv.sh
php=$(sh scripts/php.sh)
place=$(mktemp -d)
server=''
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$place"' EXIT INT TERM

pip() {
    python=$1
    shift
    "$python" -m pip --quiet --disable-pip-version-check --no-input "$@"
}

echo '== building'
rm -rf dist
.venv/bin/python -m venv "$place/build"
pip "$place/build/bin/python" install --upgrade 'pip>=25.1' # the first that knows dependency groups
pip "$place/build/bin/python" install --group dist --constraint requirements-dev.lock
"$place/build/bin/python" -m build --no-isolation --outdir dist . >"$place/log" 2>&1 || {
    cat "$place/log" >&2
    exit 1
}
"$place/build/bin/python" -m twine check --strict dist/*
ls -l dist

echo '== installing the wheel'
.venv/bin/python -m venv "$place/user"
pip "$place/user/bin/python" install dist/*.whl
tar -xzf dist/*.tar.gz -C "$place"
cd "$place"
"$place/user/bin/rr" --version
library=$("$place/user/bin/rr" php-library)
case $library in
"$place"/user/*) ;;
*)
    echo "the PHP library is not in the wheel: rr php-library prints $library" >&2
    exit 1
    ;;
esac
RR_PHP_LIBRARY=$library "$php/php" -r 'require getenv("RR_PHP_LIBRARY") . "/autoload.php"; new PyRoadRunner\Rpc\Rpc("tcp://127.0.0.1:1");'

echo '== following the README'
PATH=$place/user/bin:$php:$PATH "$place/user/bin/python" "$checkout/tests/support/first_steps.py" "$checkout/README.md"

echo '== serving the example of the sdist'
port=$("$place/user/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
PATH=$php:$PATH "$place/user/bin/rr" serve -c "$place"/pyroadrunner-*/examples/hello-php/.rr.yaml \
    -o "http.address=127.0.0.1:$port" -o "rpc.listen=unix://$place/rpc.sock" >"$place/log" 2>&1 &
server=$!
"$place/user/bin/python" - "http://127.0.0.1:$port/" <<'PYTHON' || {
import sys, time, urllib.request
for attempt in range(100):
    try:
        print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode(), end="")
        break
    except OSError as error:
        last = error
    time.sleep(0.1)
else:
    sys.exit(f"no answer in 10 seconds: {last}")
PYTHON
    cat "$place/log" >&2
    exit 1
}
kill "$server"
wait "$server" || {
    echo "rr serve exited with $?" >&2
    exit 1
}
server=''
echo '== dist is good'
