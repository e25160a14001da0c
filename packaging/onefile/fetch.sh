#!/bin/sh
# Fetch what the one file is built from into .cache/onefile/sources: zig (the C compiler) from PyPI, CPython from Debian's
# source packages, the C libraries from crates.io. Everything is pinned by version and SHA-256; a second run does nothing.
#
# RR_ONEFILE_SOURCES names a folder with kept archives of CPython, for the day when the mirror has a newer revision.
# DEBIAN_MIRROR names Debian's mirror where apt does not know one (on Ubuntu, or without apt's lists).
set -eu
cd "$(dirname "$0")"
. ./versions.sh
mkdir -p "$sources"

matches() { # FILE SHA256
    [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$2" ]
}

require() { # FILE SHA256 HINT
    matches "$1" "$2" || {
        echo "onefile: $1 is missing or is not the pinned file. $3" >&2
        exit 1
    }
}

fetch_zig() {
    matches "$sources/$zig_wheel" "$zig_sha256" ||
        python -m pip --quiet --disable-pip-version-check download --no-deps --only-binary :all: \
            --platform "$zig_platform" --dest "$sources" "ziglang==$zig_version"
    require "$sources/$zig_wheel" "$zig_sha256" "pip did not find ziglang $zig_version."
    [ -x "$cache/zig-$zig_version/ziglang/zig" ] || {
        rm -rf "$cache/zig-$zig_version"
        python -m zipfile -e "$sources/$zig_wheel" "$cache/zig-$zig_version"
        chmod +x "$cache/zig-$zig_version/ziglang/zig"
    }
}

debian_mirror() {
    [ -n "${DEBIAN_MIRROR:-}" ] && echo "$DEBIAN_MIRROR" && return
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 'Created-By: Packages' | head -n 1
}

# apt with lists of its own, so that the system's are neither needed nor changed.
private_apt() { # COMMAND...
    APT_CONFIG=$apt/apt.conf apt-get --quiet --quiet "$@"
}

fetch_python_from_debian() {
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || {
        echo 'onefile: no mirror of Debian is known: set DEBIAN_MIRROR' >&2
        exit 1
    }
    apt=$(mktemp -d)
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/apt.conf.d"
    : >"$apt/etc/status"
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $debian_suite main" \
        >"$apt/etc/sources.list"
    cat >"$apt/apt.conf" <<CONF
Dir "$apt";
Dir::State "$apt/state";
Dir::State::status "$apt/etc/status";
Dir::Cache "$apt/cache";
Dir::Etc "$apt/etc";
Dir::Etc::sourceparts "/dev/null";
APT::Sandbox::User "";
CONF
    # A mirror may lack the .dsc of an older revision: then apt reports a failure, though the archives have come.
    (private_apt update && cd "$sources" && private_apt source --download-only "python3.13=$python_revision") || true
    rm -rf "$apt"
}

fetch_python() {
    for archive in "$python_archive" "$python_patches"; do
        [ -z "${RR_ONEFILE_SOURCES:-}" ] || cp "$RR_ONEFILE_SOURCES/$archive" "$sources/"
    done
    { matches "$sources/$python_archive" "$python_sha256" && matches "$sources/$python_patches" "$patches_sha256"; } ||
        fetch_python_from_debian
    hint='Take it from a kept copy (RR_ONEFILE_SOURCES), or pin the new revision in packaging/onefile/versions.sh.'
    require "$sources/$python_archive" "$python_sha256" "$hint"
    require "$sources/$python_patches" "$patches_sha256" "$hint"
}

fetch_libraries() {
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

fetch_zig
fetch_python
fetch_libraries
