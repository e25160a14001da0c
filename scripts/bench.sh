#!/bin/sh
# Run a part of the bench with what it measures against installed. Arguments go to python. (Where nginx and php-fpm come
# fresh from apt, Debian also starts them as services; the bench uses processes of its own and none of those.)
set -eu
cd "$(dirname "$0")/.."
sh scripts/venv.sh
php=$(sh scripts/php.sh)
sh scripts/packages.sh nginx=nginx php-fpm=php-fpm wrk=wrk h2load=nghttp2-client redis-server=redis-server
PATH=$php:$PATH
export PATH
exec .venv/bin/python "$@"
