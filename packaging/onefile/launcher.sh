#!/bin/sh
# Build the launcher, a static executable: sh launcher.sh OUT. With zig and the pinned zstd it runs on every Linux of this
# architecture.
set -eu
out=$1
cd "$(dirname "$0")"
. ./versions.sh
work=$cache/build-launcher
. ./toolchain.sh
zstd=$(echo "$crates"/zstd-sys-*/zstd/lib)
set -- launcher/*.c "$zstd"/common/*.c "$zstd"/decompress/*.c
[ "$machine" != x86_64 ] || set -- "$@" "$zstd/decompress/huf_decompress_amd64.S"
"$zig" cc -target "$machine-linux-musl" -static -O3 -s -std=gnu11 -D_GNU_SOURCE -fno-sanitize=all -fno-asynchronous-unwind-tables \
    -ffile-prefix-map="$cache=." -I"$zstd" "$@" -o "$out"
