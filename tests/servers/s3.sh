#!/usr/bin/env bash
# Starts or stops an S3 server for tests, on loopback.
#
#   tests/servers/s3.sh start DIR PORT BUCKET   keeps its objects below DIR; returns when the server is ready
#   tests/servers/s3.sh stop DIR
#
# It is versitygw, whose objects are files: DIR/data/BUCKET/KEY. Access key `aludel`, secret `sesame-sesame`. It is
# built once from the Go module proxy (some two minutes of two cores) into the user's cache.
#
# Exit code 77: it cannot be had here (no Go, no network), with the reason on standard error.
set -euo pipefail

VERSION=v1.7.0
READY_SECONDS=60 # a loaded machine; under 1 s on an idle one
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/aludel/versitygw-$VERSION
PROGRAM=$CACHE/versitygw

skip() {
    echo "s3: $*" >&2
    exit 77
}

fetch() {
    [ -x "$PROGRAM" ] && return
    command -v go >/dev/null || skip "no Go to build versitygw with"
    mkdir -p "$CACHE"
    # One at a time; those that wait find it there.
    exec 9>"$CACHE/lock"
    flock 9
    [ -x "$PROGRAM" ] && return
    # Into a folder of its own first, so that what is there is whole.
    GOBIN=$CACHE/new GOFLAGS=-buildvcs=false go install "github.com/versity/versitygw/cmd/versitygw@$VERSION" >&2 ||
        skip "go could not build versitygw $VERSION"
    mv "$CACHE/new/versitygw" "$PROGRAM"
}

start() {
    local dir=$1 port=$2 bucket=$3
    fetch
    mkdir -p "$dir/data/$bucket" "$dir/meta"
    # Attributes in files beside, since not every file system has extended ones.
    ROOT_ACCESS_KEY=aludel ROOT_SECRET_KEY=sesame-sesame "$PROGRAM" --port "127.0.0.1:$port" --health /health \
        --region us-east-1 posix --sidecar "$dir/meta" "$dir/data" >"$dir/output.log" 2>&1 9>&- </dev/null &
    local child=$!
    echo "$child" >"$dir/pid"
    for _ in $(seq $((READY_SECONDS * 20))); do
        if curl -sf "http://127.0.0.1:$port/health" >/dev/null 2>&1; then
            disown "$child"
            return
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 0.05
    done
    tail -n 20 "$dir/output.log" >&2
    kill "$child" 2>/dev/null || true
    echo "s3: not ready after $READY_SECONDS s; the end of its log is above" >&2
    exit 1
}

stop() {
    local dir=$1 pid
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 40); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null || true
}

case "${1:-}" in
start) start "$(realpath -m "${2:?DIR}")" "${3:?PORT}" "${4:?BUCKET}" ;;
stop) stop "$(realpath -m "${2:?DIR}")" ;;
*)
    echo "usage: $0 start DIR PORT BUCKET | stop DIR" >&2
    exit 2
    ;;
esac
