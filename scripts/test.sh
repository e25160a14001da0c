#!/bin/sh
# Run all static checks and all tests, and install what they need. Arguments are passed to pytest: by default
# the tests run in several processes (-n auto, see tests/conftest.py); -n 0 runs them in one.
set -u
cd "$(dirname "$0")/.." || exit 1
sh scripts/venv.sh dev || exit 1
php=$(sh scripts/php.sh) || exit 1
sh scripts/packages.sh curl=curl nginx=nginx || exit 1
sh scripts/packages.sh apache2=apache2-bin haproxy=haproxy || # apache2-bin has no service
    echo "== Apache or HAProxy is not installed: their tests are skipped" >&2
sh scripts/packages.sh /usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server ||
    echo "== RabbitMQ is not installed: its tests are skipped" >&2
sh scripts/packages.sh cc=gcc /usr/include/zstd.h=libzstd-dev ||
    echo "== no compiler or no zstd: the tests of the one file's launcher are skipped" >&2
sh scripts/packages.sh caddy=caddy || echo "== Caddy is not installed: its tests are skipped" >&2
sh scripts/packages.sh tmux=tmux || echo "== tmux is not installed: tests of rr top in a terminal are skipped" >&2
sh scripts/packages.sh chromium=chromium || echo "== Chromium is not installed: its tests are skipped" >&2
lib=/usr/share/php
sh scripts/packages.sh $lib/Illuminate/autoload.php=php-laravel-framework $lib/Nyholm/Psr7/autoload.php=php-nyholm-psr7 \
    $lib/Psr/Log/autoload.php=php-psr-log $lib/Psr/SimpleCache/autoload.php=php-psr-simple-cache \
    $lib/Symfony/Bundle/FrameworkBundle/autoload.php=php-symfony-framework-bundle \
    $lib/Symfony/Component/Mercure/autoload.php=php-symfony-mercure ||
    echo "== PHP frameworks are not installed: their tests are skipped" >&2
# Maven fetches Kafka in the background: a minute, the first time only.
said=$(mktemp) kafka=''
trap 'rm -f "$said"' EXIT
if sh scripts/packages.sh java=default-jre-headless mvn=maven; then
    sh scripts/kafka.sh >"$said" 2>&1 &
    kafka=$!
fi
[ -n "${RR_TEST_CENTRIFUGO:-}" ] ||
    echo "== tests with a Centrifugo server run with RR_TEST_CENTRIFUGO=1; without it they are skipped" >&2
[ -n "${RR_TEST_CONSUL:-}" ] ||
    echo "== tests with a Consul agent run with RR_TEST_CONSUL=1; without it they are skipped" >&2
sh scripts/go-tools.sh || echo "== tools built with Go are not available: their tests are skipped" >&2
sh scripts/node-tools.sh || echo "== packages for Node are not available: their tests are skipped" >&2
sh scripts/packages.sh curl=curl memcached=memcached redis-server=redis-server beanstalkd=beanstalkd \
    nats-server=nats-server || exit 1
sh scripts/packages.sh etcd=etcd-server prometheus=prometheus ||
    echo "== etcd or Prometheus is not installed: their tests are skipped" >&2
# Debian keeps PostgreSQL's programs outside of PATH.
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) sh scripts/packages.sh postgres=postgresql ||
    echo "== PostgreSQL is not installed: its tests are skipped" >&2
PATH=$php:$PWD/.venv/bin:$PATH
export PATH
unset PYTHONDONTWRITEBYTECODE # what each start of rr would compile again (tests/conftest.py), and pytest's own work
echo "== with $(python --version), PHP $(php -r 'echo PHP_VERSION;')"

{ [ -n "$kafka" ] && wait "$kafka"; } || {
    cat "$said" >&2
    echo "== Kafka is not available: its tests are skipped" >&2
}

# The checks run in parallel with the first tests. Their output is printed at once when they are done, so that the
# summary of the tests stays at the end.
{
    sh scripts/lint.sh >"$said" 2>&1
    code=$?
    echo && cat "$said"
    exit "$code"
} &
checks=$!

# A busy machine can make a test fail that waits for processes. Up to three failed tests get a second run, alone; those
# that pass then are named as unsteady: each is a fault of the test, or of the product under load, still to be found.
again() {
    failed=.pytest_cache/v/cache/lastfailed
    [ -s $failed ] || return
    [ "$(python -c "import json; print(len(json.load(open('$failed'))))")" -le 3 ] || return
    cp $failed "$said"
    echo '== the failed tests once more, alone'
    python -m pytest --last-failed --last-failed-no-failures none "$@" || return
    tests=passed
    echo '== UNSTEADY: these tests passed only when they ran alone' >&2
    cat "$said" >&2
    echo >&2
}

echo '== tests'
lint=passed tests=passed
python -m pytest -n auto --dist worksteal "$@" || tests=FAILED
wait "$checks" || lint=FAILED
[ $tests = passed ] || again "$@"
echo "== lint $lint, tests $tests"
[ "$lint $tests" = 'passed passed' ]
