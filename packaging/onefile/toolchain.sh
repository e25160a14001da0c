# The compiler, as commands in $work/bin. Sourced after versions.sh, with `work` set.
#
# zig compiles against the symbols of an old glibc, so that the result runs on distributions as old as that. Times and paths of
# the build must not get into the result. -Wno-date-time: CPython uses __DATE__, which SOURCE_DATE_EPOCH fixes.
SOURCE_DATE_EPOCH=1577836800
ZIG_GLOBAL_CACHE_DIR=$cache/zig-cache
ZIG_LOCAL_CACHE_DIR=$cache/zig-cache
export SOURCE_DATE_EPOCH ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR
jobs=${JOBS:-2}

tool() { # NAME ZIG-COMMAND
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$zig" "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

mkdir -p "$work/bin"
tool cc "cc -target $machine-linux-gnu.$glibc -fno-sanitize=all -Wno-date-time -ffile-prefix-map=$cache=."
tool ar ar
tool ranlib ranlib
PATH=$work/bin:$PATH # by name only: programs keep the command that compiled them, as a text
export CC=cc CXX=cc AR=ar RANLIB=ranlib

# Run functions in order, each with all of its output in a log; show the end of it if one fails.
run_parts() { # LOG FUNCTION...
    log=$1
    shift
    : >"$log"
    for part; do
        echo "== onefile: $part" >&2
        # Not in a condition: there, set -e would not count inside of the function.
        (set -e && $part) >>"$log" 2>&1 &
        wait $! || {
            tail -n 40 "$log" >&2
            echo "onefile: $part failed; all of its output is in $log" >&2
            exit 1
        }
    done
}
