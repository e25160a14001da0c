#!/bin/sh
# Install the programs that the bench compares with, then run a part of it. Arguments are passed to python. (Debian starts
# nginx and php-fpm as services after their installation; the bench does not use those, but starts its own processes.)
set -eu
cd "$(dirname "$0")/.."
sh scripts/venv.sh
php=$(sh scripts/php.sh)
sh scripts/packages.sh nginx=nginx php-fpm=php-fpm wrk=wrk h2load=nghttp2-client redis-server=redis-server
sh scripts/node-tools.sh
PATH=$php:$PATH
export PATH
exec .venv/bin/python "$@"
