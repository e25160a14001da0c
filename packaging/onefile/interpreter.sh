#!/bin/sh
# Build CPython into .cache/onefile/python-HASH, and print that folder. The hash is of all that goes in; what is there
# already is not built again. 10 minutes on 2 cores, with the libraries.
#
# All extension modules of the standard library are part of the executable: OpenSSL is there once, and starting opens fewer
# files.
set -eu
cd "$(dirname "$0")"
. ./versions.sh
libraries=$(sh libraries.sh)

inputs="$python_sha256 $patches_sha256 $zig_sha256 $glibc $libraries"
key=$(echo "$inputs" | cat - interpreter.sh toolchain.sh | sha256sum | cut -c1-16)
home=$cache/python-$key
[ -e "$home/.complete" ] && echo "$home" && exit 0
work=$cache/build-python
rm -rf "$work" "$home"
. ./toolchain.sh

# The fixes that Debian has added, without its changes to paths and packaging.
source() {
    mkdir "$work/python"
    tar xf "$sources/$python_archive" -C "$work/python" --strip-components=1
    tar xf "$sources/$python_patches" -C "$work/python"
    cd "$work/python"
    grep -E '^(CVE-|ssl-|dict-use-after-free|traverse-managed-dicts)' debian/patches/series |
        while read -r fix; do patch -p1 <"debian/patches/$fix"; done
}

# -rpath: where extension modules find the C++ library (builder/elf.py makes it count for them).
configure() {
    cd "$work/python"
    absent=''
    for module in _tkinter _curses _curses_panel _dbm _gdbm readline nis _uuid; do
        absent="$absent py_cv_module_$module=n/a"
    done
    export MODULE_BUILDTYPE=static PKG_CONFIG=false
    export CFLAGS="-O3 -I$libraries/include" LDFLAGS="-L$libraries/lib"
    export LINKFORSHARED="-rdynamic -Wl,-rpath,'\$\$ORIGIN/../lib'"
    export ZLIB_CFLAGS=' ' ZLIB_LIBS=-lz BZIP2_CFLAGS=' ' BZIP2_LIBS=-lbz2 LIBLZMA_CFLAGS=' ' LIBLZMA_LIBS=-llzma
    export LIBSQLITE3_CFLAGS=' ' LIBSQLITE3_LIBS='-lsqlite3 -lm' LIBFFI_CFLAGS=' ' LIBFFI_LIBS=-lffi
    # shellcheck disable=SC2086 # as above
    ./configure --prefix=/py --with-openssl="$libraries" --disable-test-modules --without-ensurepip --without-readline \
        --with-computed-gotos ac_cv_func_dlopen=yes $absent
}

build() {
    cd "$work/python"
    make -j"$jobs" all
    make install DESTDIR="$work/install"
}

finish() {
    mv "$work/install/py" "$home"
    "$home/bin/python3.13" -c 'import _ssl, _hashlib, _ctypes, _sqlite3, _lzma, _bz2, zlib, _asyncio, _decimal, pyexpat'
    touch "$home/.complete"
}

run_parts "$cache/interpreter.log" source configure build finish
rm -rf "$work"
echo "$home"
