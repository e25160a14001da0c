#!/bin/sh
# Print a folder with the command "php" (8.1 or newer), to be added first to PATH; install PHP if it is missing.
# PHP names the interpreter to use.
set -eu
cd "$(dirname "$0")/.."

fits() {
    "$1" -r 'exit((int) (PHP_VERSION_ID < 80100 || PHP_SAPI !== "cli"));' >/dev/null 2>&1
}

find_php() {
    for php in php php8.5 php8.4 php8.3 php8.2 php8.1; do
        if fits "$php"; then
            return
        fi
    done
    php=''
}

if [ -n "${PHP:-}" ]; then
    fits "$PHP" || {
        echo "PHP=$PHP is not a working PHP 8.1 or newer." >&2
        exit 1
    }
    php=$PHP
else
    find_php
fi
if [ -z "$php" ]; then
    if command -v php >/dev/null 2>&1; then
        echo "PHP 8.1 or newer is needed; $(command -v php) is $(php -r 'echo PHP_VERSION;' 2>/dev/null || echo broken)." >&2
        echo 'Please install one, or name it: make PHP=/path/to/php8.3 ...' >&2
        exit 1
    fi
    sh scripts/packages.sh php=php-cli
    hash -r
    find_php
fi
if [ -z "$php" ]; then
    echo 'PHP is installed, but the command "php" (8.1 or newer) is not on PATH.' >&2
    exit 1
fi
php=$(command -v "$php")
if [ "$(basename "$php")" = php ]; then
    dirname "$php"
else
    mkdir -p build/php # the examples and the tests say "php"
    ln -sf "$php" build/php/php
    echo "$PWD/build/php"
fi
