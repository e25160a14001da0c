#!/bin/sh
# Check that commands exist; install the packages of missing ones with apt if permitted. Services in them (nginx, HAProxy,
# Redis) are not started: the tests start their own.
#
#   sh scripts/packages.sh COMMAND=PACKAGE...     such as php=php-cli; "php-fpm" is also found as php-fpm8.2
#                                                 a COMMAND with a slash is a file that must exist
set -eu
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

have() {
    command -v "$1" >/dev/null 2>&1 && return
    case $1 in */*) [ -e "$1" ]; return ;; esac
    for folder in /usr/local/sbin /usr/sbin /usr/bin; do # Debian puts the version into some names
        for file in "$folder/$1"[0-9]*; do
            [ -x "$file" ] && return
        done
    done
    return 1
}

commands='' packages=''
for pair; do
    if ! have "${pair%%=*}"; then
        commands="$commands ${pair%%=*}" packages="$packages ${pair#*=}"
    fi
done
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Missing:$commands. apt-get is not available; please install the packages and run make again" >&2
    echo "(Debian calls the packages:$packages; Homebrew: php, nginx, wrk, nghttp2)." >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    root=''
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    echo "Missing:$commands, and installing needs root. Please run this and then make again:" >&2
    echo "    sudo apt-get install -y --no-install-recommends$packages" >&2
    exit 1
fi

apt() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

echo "== installing$packages" >&2
log=$(mktemp)
policy=/usr/sbin/policy-rc.d # Debian's packages ask it before they start a service; 101 means no
end() {
    [ -z "$mine" ] || $root rm -f "$policy"
    rm -f "$log"
}
mine=''
trap end EXIT
trap 'exit 1' INT TERM
if [ ! -e "$policy" ]; then
    mine=1
    printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null && $root chmod 755 "$policy"
fi
for attempt in 1 2 3 4 5; do
    # The package lists may be absent or old, and another apt may hold a lock without a timeout: update and retry.
    if { [ "$attempt" -eq 1 ] || apt update; } >"$log" 2>&1 &&
        apt install -y --no-install-recommends $packages >>"$log" 2>&1; then
        exit 0
    fi
    [ "$attempt" -eq 1 ] || sleep "$((attempt * 3))"
done
cat "$log" >&2
echo "apt-get could not install$packages (see its output above)." >&2
exit 1
