#!/bin/sh
# Build the test tools that exist only in Go into .cache/bin: h2spec (HTTP/2), pebble (ACME), grpcurl and
# connectconformance (gRPC), pstest (Pub/Sub), and on request, since each takes minutes, Centrifugo (RR_TEST_CENTRIFUGO)
# and Consul (RR_TEST_CONSUL). They are kept there. Without Go nothing is built, and the tests that need them are skipped
# with that reason.
set -eu
cd "$(dirname "$0")/.."
bin=$PWD/.cache/bin

PATH="$PATH:/usr/local/go/bin"
if ! command -v go >/dev/null 2>&1; then
    echo '== Go is not installed: the tests with its tools are skipped' >&2
    exit 0
fi

build() { # NAME PACKAGE@VERSION
    [ -x "$bin/$1" ] && return
    echo "== building $1" >&2
    GOBIN=$bin GOFLAGS=-buildvcs=false go install "$2" || echo "== $1 can not be built: its tests are skipped" >&2
}

build h2spec github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible
build pebble github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1
build grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
conformance=connectrpc.com/conformance
build connectconformance $conformance/cmd/connectconformance@v1.0.7
service=$(go env GOMODCACHE)/$conformance@v1.0.7/proto # that a server under test offers
if [ ! -d .cache/conformance ] && [ -d "$service" ]; then
    cp -R "$service" .cache/conformance
    chmod -R u+w .cache/conformance
fi
[ -z "${RR_TEST_CENTRIFUGO:-}" ] || build centrifugo github.com/centrifugal/centrifugo/v6@v6.9.1

# Consul can't be installed with `go install`, since its go.mod replaces modules by folders: a module that requires it is
# built in their place. 1.14 is under the MPL, as all before 1.17.
if [ -n "${RR_TEST_CONSUL:-}" ] && [ ! -x "$bin/consul" ]; then
    echo '== building consul' >&2
    place=$(mktemp -d)
    printf 'module consul\n\ngo 1.23\n\nrequire github.com/hashicorp/consul v1.14.11\n' >"$place/go.mod"
    printf 'package tools\n\nimport _ "github.com/hashicorp/consul"\n' >"$place/tools.go"
    (cd "$place" && go mod tidy -e >/dev/null 2>&1 &&
        GOFLAGS='-buildvcs=false -ldflags=-s' go build -o "$bin/consul" github.com/hashicorp/consul) ||
        echo '== consul can not be built: its tests are skipped' >&2
    rm -rf "$place"
fi

# A program of the tests; Go itself knows whether there is anything to do.
(cd tests/support/pstest && GOFLAGS=-buildvcs=false go build -o "$bin/pstest" .) ||
    echo '== pstest can not be built: the tests with Pub/Sub are skipped' >&2
