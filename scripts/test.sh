#!/bin/sh
# Everything that must hold: static checks, then all tests. Installs what they need. Arguments go to pytest.
set -u
cd "$(dirname "$0")/.." || exit 1
sh scripts/venv.sh dev || exit 1
php=$(sh scripts/php.sh) || exit 1
sh scripts/packages.sh curl=curl nginx=nginx || exit 1
sh scripts/packages.sh caddy=caddy || echo "== no Caddy: its tests are skipped" >&2
lib=/usr/share/php
sh scripts/packages.sh $lib/Illuminate/autoload.php=php-laravel-framework $lib/Nyholm/Psr7/autoload.php=php-nyholm-psr7 \
    $lib/Psr/Log/autoload.php=php-psr-log $lib/Psr/SimpleCache/autoload.php=php-psr-simple-cache \
    $lib/Symfony/Bundle/FrameworkBundle/autoload.php=php-symfony-framework-bundle ||
    echo "== no PHP frameworks: their tests are skipped" >&2
sh scripts/go-tools.sh || echo "== no tools built with Go: their tests are skipped" >&2
sh scripts/packages.sh curl=curl memcached=memcached redis-server=redis-server || exit 1
PATH=$php:$PWD/.venv/bin:$PATH
export PATH
unset PYTHONDONTWRITEBYTECODE # what each start of rr would compile again (tests/conftest.py), and pytest's own work
echo "== with $(python --version), PHP $(php -r 'echo PHP_VERSION;')"

lint=passed
sh scripts/lint.sh || lint=FAILED
echo '== tests'
tests=passed
python -m pytest "$@" || tests=FAILED
echo "== lint $lint, tests $tests"
[ "$lint $tests" = 'passed passed' ]
