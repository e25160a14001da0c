#!/bin/sh
# Build the static C libraries that CPython needs into .cache/onefile/libraries-HASH, and print that folder. The hash is
# of all that goes in; what is there already is not built again. Most of the time goes to OpenSSL.
set -eu
cd "$(dirname "$0")"
. ./versions.sh

key=$(echo "$zig_sha256 $glibc" | cat - libraries.sh toolchain.sh sources/Cargo.lock | sha256sum | cut -c1-16)
home=$cache/libraries-$key
[ -e "$home/.complete" ] && echo "$home" && exit 0
work=$cache/build-libraries
rm -rf "$work" "$home"
. ./toolchain.sh
mkdir -p "$home/include" "$home/lib"

crate() { # NAME: the folder of its only version
    set -- "$crates/$1"-[0-9]*
    [ $# = 1 ] && [ -d "$1" ] || {
        echo "onefile: $1 is not in $crates: run fetch.sh" >&2
        exit 1
    }
    echo "$1"
}

archive() { # NAME FLAGS FILE...: compile into lib/libNAME.a
    name=$1 options=$2
    shift 2
    mkdir -p "$work/$name"
    # shellcheck disable=SC2086 # the options are words
    printf '%s\n' "$@" | (cd "$work/$name" && xargs -P "$jobs" -n 4 "$CC" -O3 -fPIC $options -c)
    "$AR" rcs "$home/lib/lib$name.a" "$work/$name"/*.o
}

zlib() {
    from=$(crate libz-sys)/src/zlib
    archive z '-D_LARGEFILE64_SOURCE=1 -DHAVE_UNISTD_H -DHAVE_STDARG_H' "$from"/*.c
    cp "$from/zlib.h" "$from/zconf.h" "$home/include"
}

bzip2() {
    from=$(crate bzip2-sys)/bzip2-1.0.8
    files=''
    for name in blocksort huffman crctable randtable compress decompress bzlib; do files="$files $from/$name.c"; done
    # shellcheck disable=SC2086 # no path of ours has spaces
    archive bz2 '-D_FILE_OFFSET_BITS=64' $files
    cp "$from/bzlib.h" "$home/include"
}

xz() {
    from=$(crate liblzma-sys)
    in=$from/xz/src/liblzma
    options="-std=c99 -pthread -DNDEBUG -DHAVE_CONFIG_H -DLZMA_SYS_ENABLE_THREADS=1 -I$from -I$from/xz/src/common"
    files="$from/xz/src/common/tuklib_cpucores.c $from/xz/src/common/tuklib_physmem.c"
    for part in api common lzma lz check delta rangecoder simple; do
        options="$options -I$in/$part"
        for file in "$in/$part"/*.c; do
            case $file in
            *crc32_small.c | *crc64_small.c | *crc_clmul_consts_gen.c | *_tablegen.c | *'*.c') ;; # of other builds
            *) files="$files $file" ;;
            esac
        done
    done
    # shellcheck disable=SC2086 # as above
    archive lzma "$options" $files
    cp -R "$in/api/." "$home/include"
}

sqlite() {
    from=$(crate libsqlite3-sys)/sqlite3
    archive sqlite3 '-DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_MATH_FUNCTIONS
        -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB' "$from/sqlite3.c"
    cp "$from/sqlite3.h" "$from/sqlite3ext.h" "$home/include"
}

libffi() {
    cp -R "$(crate libffi-sys)/libffi" "$work/ffi"
    find "$work/ffi" -exec touch -d @$SOURCE_DATE_EPOCH {} + # else make wants to run autoconf
    (cd "$work/ffi" && sh ./configure --quiet CFLAGS='-O2 -fPIC' --disable-shared --disable-docs \
        --disable-multi-os-directory --prefix="$home" --libdir="$home/lib" && make -j"$jobs" && make install)
}

openssl() {
    cp -R "$(crate openssl-src)/openssl" "$work/openssl"
    (cd "$work/openssl" && perl ./Configure linux-"$machine" no-shared no-tests no-docs no-apps no-module no-engine \
        no-legacy no-comp no-ssl3 no-quic --openssldir=/etc/ssl --libdir=lib --prefix=/usr &&
        make -j"$jobs" build_libs && make install_dev DESTDIR="$work/installed")
    cp -R "$work/installed/usr/include/." "$home/include"
    cp "$work/installed/usr/lib/"*.a "$home/lib"
}

run_parts "$cache/libraries.log" zlib bzip2 xz sqlite libffi openssl
touch "$home/.complete"
rm -rf "$work"
echo "$home"
