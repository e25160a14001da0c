#!/bin/sh
# Check the files in dist/onefile (scripts/onefile.sh) where users run them: in a root with PHP and without Python. Needs
# root and debootstrap; run before a release, as it takes minutes.
#
#   sh scripts/onefile-check.sh                all checks
#   sh scripts/onefile-check.sh --reproducible builds everything again elsewhere, too, and compares
#
# The tests of examples, gRPC, WebSocket and restarts are those of tests/integration, with the file as the server under
# test (RR_UNDER_TEST). What only the file can show is in packaging/onefile/checks.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
bare=$root/.cache/onefile/bare
[ "$(id -u)" -eq 0 ] || {
    echo 'the root without Python is entered with chroot: please run this as root' >&2
    exit 1
}
sh scripts/packages.sh debootstrap=debootstrap objdump=binutils
light=$(echo "$root"/dist/onefile/rr-light-*[0-9a-z]_64)
full=$(echo "$root"/dist/onefile/rr-[0-9]*_64)

[ -e "$bare/.complete" ] || {
    echo '== check: a root with PHP and without Python' >&2
    rm -rf "$bare"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)
    debootstrap --variant=minbase --include=php-cli bookworm "$bare" "$mirror" >/dev/null
    touch "$bare/.complete"
}
[ ! -e "$bare/usr/bin/python3" ] || {
    echo "$bare has a Python" >&2
    exit 1
}

# One mount namespace for all of it: nothing is left mounted.
[ "${RR_CHECK_MOUNTED:-}" = yes ] || exec env RR_CHECK_MOUNTED=yes unshare --mount sh "$0" "$@"
mkdir -p "$bare$root"
mount -t proc proc "$bare/proc"
mount --bind /dev "$bare/dev"
mount --bind /tmp "$bare/tmp"
mount --bind "$root" "$bare$root"
inside=$root/.cache/onefile/inside
cat >"$inside" <<INSIDE
#!/bin/sh
folder=\$PWD exec chroot "$bare" /bin/sh -c 'cd "\$folder" && exec "\${ONEFILE:-$full}" "\$@"' rr "\$@"
INSIDE
chmod +x "$inside"
export ONEFILE_FULL="$full" ONEFILE_LIGHT="$light" ONEFILE_INSIDE="$inside" ONEFILE_BARE="$bare"

echo '== check: the file' >&2
.venv/bin/python -m pytest -q -rA -p no:cacheprovider packaging/onefile/checks
for file in "$light" "$full"; do
    echo "== check: the examples, in a root without Python: $file" >&2
    # Without Python no worker in Python starts; one test puts a module of its own into the server's interpreter.
    ONEFILE=$file RR_UNDER_TEST=$inside .venv/bin/python -m pytest -q -n 2 \
        tests/integration/test_jobs_examples.py tests/integration/test_websocket.py tests/integration/test_restart.py \
        -k 'not python and not during_exec'
done
echo '== check: gRPC, in a root without Python' >&2
RR_UNDER_TEST=$inside .venv/bin/python -m pytest -q -n 2 tests/integration/test_grpc.py -k 'not python'

[ "${1:-}" = --reproducible ] || exit 0
echo '== check: building again elsewhere' >&2
again=$(mktemp -d)
git archive HEAD | tar -x -C "$again"
mkdir -p "$again/.cache/onefile"
cp -R .cache/onefile/sources .cache/onefile/crates "$again/.cache/onefile/"
sh "$again/scripts/onefile.sh"
diff "$root/dist/onefile/SHA256SUMS" "$again/dist/onefile/SHA256SUMS" && echo '== check: both builds are the same'
rm -rf "$again"
