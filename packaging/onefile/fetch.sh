#!/bin/sh
# Fetch what the one file is built from into .cache/onefile/sources: zig (the C compiler) and pip from PyPI, CPython and the
# C++ library from Debian, the C libraries from crates.io. Everything is pinned by version and SHA-256; a second run does
# nothing.
#
# RR_ONEFILE_SOURCES names a folder with kept archives, for the day when a mirror has a newer revision only.
# DEBIAN_MIRROR names Debian's mirror where apt does not know one (on Ubuntu, or without apt's lists).
set -eu
cd "$(dirname "$0")"
. ./versions.sh
mkdir -p "$sources"

matches() { # FILE SHA256
    [ -f "$sources/$1" ] && [ "$(sha256sum "$sources/$1" | cut -d' ' -f1)" = "$2" ]
}

have() { # FILE SHA256: whether it is there, or was kept
    matches "$1" "$2" && return
    [ -n "${RR_ONEFILE_SOURCES:-}" ] && [ -f "$RR_ONEFILE_SOURCES/$1" ] || return 1
    cp "$RR_ONEFILE_SOURCES/$1" "$sources/"
    matches "$1" "$2"
}

require() { # FILE SHA256
    matches "$1" "$2" || {
        echo "onefile: $1 can't be fetched, or is not the pinned file. Take it from a kept copy (RR_ONEFILE_SOURCES), or" >&2
        echo "pin another revision in packaging/onefile/versions.sh." >&2
        exit 1
    }
}

from_pypi() { # FILE SHA256 REQUIREMENT [OPTION...]
    file=$1 hash=$2
    shift 2
    have "$file" "$hash" ||
        python -m pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: --dest "$sources" "$@"
    require "$file" "$hash"
}

unpack_zig() {
    [ -x "$zig" ] && return
    rm -rf "$cache/zig-$zig_version"
    python -m zipfile -e "$sources/$zig_wheel" "$cache/zig-$zig_version"
    chmod +x "$zig"
}

debian_mirror() {
    [ -n "${DEBIAN_MIRROR:-}" ] && echo "$DEBIAN_MIRROR" && return
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' | head -n 1
}

# apt with lists of its own, so that the system's are neither needed nor changed.
private_apt() { # COMMAND...
    APT_CONFIG=$apt/apt.conf apt-get --quiet --quiet "$@"
}

fetch_from_debian() {
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || {
        echo 'onefile: no mirror of Debian is known: set DEBIAN_MIRROR' >&2
        exit 1
    }
    apt=$(mktemp -d)
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/apt.conf.d" "$apt/etc/preferences.d"
    : >"$apt/etc/status"
    key='signed-by=/usr/share/keyrings/debian-archive-keyring.gpg'
    echo "deb-src [$key] $mirror $debian_suite main" >"$apt/etc/sources.list"
    echo "deb [$key] $mirror $debian_old_suite main" >>"$apt/etc/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir "$apt";
Dir::State "$apt/state";
Dir::State::status "$apt/etc/status";
Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc";
Dir::Etc::sourceparts "/dev/null";
Acquire::Languages "none";
APT::Sandbox::User "";
CONF
    # A mirror may lack the .dsc of an older revision: then apt reports a failure, though the archives have come.
    (
        cd "$sources"
        private_apt update
        private_apt source --download-only "python3.13=$python_revision"
        private_apt download "libstdc++6=$gcc_revision" "gcc-10-base=$gcc_revision"
    ) || true
    rm -rf "$apt"
}

from_debian() {
    if ! { have "$python_archive" "$python_sha256" && have "$python_patches" "$patches_sha256" &&
        have "$libstdcxx_package" "$libstdcxx_sha256" && have "$gcc_base_package" "$gcc_base_sha256"; }; then
        fetch_from_debian
    fi
    require "$python_archive" "$python_sha256"
    require "$python_patches" "$patches_sha256"
    require "$libstdcxx_package" "$libstdcxx_sha256"
    require "$gcc_base_package" "$gcc_base_sha256"
}

from_crates() {
    pinned=$(sha256sum <sources/Cargo.lock)
    [ "$(cat "$crates/.pinned" 2>/dev/null || true)" = "$pinned" ] && return
    command -v cargo >/dev/null || {
        echo 'onefile: cargo is needed to fetch the C libraries' >&2
        exit 1
    }
    rm -rf "$crates"
    cargo vendor --quiet --locked --versioned-dirs --manifest-path sources/Cargo.toml "$crates" >/dev/null
    echo "$pinned" >"$crates/.pinned"
}

from_pypi "$zig_wheel" "$zig_sha256" "ziglang==$zig_version" --platform "$zig_platform"
from_pypi "$pip_wheel" "$pip_sha256" "pip==$pip_version"
unpack_zig
from_debian
from_crates
