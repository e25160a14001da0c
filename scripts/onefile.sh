#!/bin/sh
# Build the one file into dist/onefile: rr with all drivers, rr-light without the heavy ones, a Debian package, bills of
# materials, SHA256SUMS. The first run takes 15 minutes on 2 cores, mostly for OpenSSL and CPython, which stay in .cache.
# How the file works: docs/design/2026-11-30-onefile.md. `sh scripts/onefile-check.sh --reproducible` compares two builds.
set -eu
cd "$(dirname "$0")/.."
case $(uname -sm) in
'Linux x86_64') ;;
*)
    echo "== the one file is built on Linux x86_64 only, this is $(uname -sm): skipped" >&2
    exit 0
    ;;
esac
sh scripts/venv.sh dev
sh scripts/packages.sh perl=perl make=make patch=patch xz=xz-utils strip=binutils dpkg-deb=dpkg

root=$PWD
out=$root/dist/onefile
cd packaging/onefile
. ./versions.sh
sh fetch.sh
python_home=$(sh interpreter.sh)
python=$python_home/bin/python3.13
launcher=$cache/launcher
sh launcher.sh "$launcher"

echo '== onefile: packages' >&2
export SOURCE_DATE_EPOCH=1577836800 PIP_ROOT_USER_ACTION=ignore
pip="$python -I $sources/$pip_wheel/pip --quiet --disable-pip-version-check --no-input"
rm -rf "$cache/wheel"
"$root/.venv/bin/python" -m pip --quiet --disable-pip-version-check wheel --no-deps --no-build-isolation \
    --wheel-dir "$cache/wheel" "$root"
platforms=''
for minor in 28 24 17 12 5; do platforms="$platforms --platform manylinux_2_${minor}_$machine"; done
for old in manylinux2014 manylinux2010 manylinux1; do platforms="$platforms --platform ${old}_$machine"; done

extras() { # LEFT-OUT...: all others, with commas
    "$root/.venv/bin/python" - "$@" <<'PYTHON'
import pathlib, sys, tomllib
project = tomllib.loads(pathlib.Path("../../pyproject.toml").read_text("utf-8"))["project"]
print(",".join(sorted(set(project["optional-dependencies"]) - set(sys.argv[1:]))))
PYTHON
}

site() { # NAME EXTRAS: install the packages of a variant into a folder
    rm -rf "$cache/site-$1"
    set -- "$1" "$cache/wheel"/*.whl "[$2]"
    # shellcheck disable=SC2086 # these are words
    $pip install --target "$cache/site-$1" --no-compile --only-binary :all: $platforms \
        --constraint "$root/requirements-dev.lock" "$2$3" tzdata "$sources/$pip_wheel"
}

build() { # NAME [OPTION...]
    name=$1
    shift
    echo "== onefile: $name" >&2
    PYTHONPATH=$PWD "$root/.venv/bin/python" -m builder --name "$name" --interpreter "$python_home" --launcher "$launcher" \
        --site "$cache/site-$name" --machine "$machine" --out "$out" "$@"
}

# What Debian's packages have besides: the licences and the C++ library.
rm -rf "$cache/debian" "$cache/licenses"
mkdir -p "$cache/licenses"
for package in "$libstdcxx_package" "$gcc_base_package"; do dpkg-deb -x "$sources/$package" "$cache/debian"; done
cp "$cache/debian/usr/share/doc/gcc-10-base/copyright" "$cache/licenses/libstdc++.txt"
cp "$python_home/lib/python3.13/LICENSE.txt" "$cache/licenses/CPython.txt"
cp "$cache/debian/usr/lib/$machine-linux-gnu/libstdc++.so.6.0.28" "$cache/debian/libstdc++.so.6"

rm -rf "$out"
site rr-light "$(extras acme centrifuge google-pub-sub grpc http3 https kafka mercure otel sqs temporal top webhooks)"
build rr-light
site rr "$(extras)"
build rr --cxx "$cache/debian/libstdc++.so.6" --deb
cd "$out"
sha256sum -- * >SHA256SUMS
ls -l
