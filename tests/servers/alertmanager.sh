#!/usr/bin/env bash
# Starts or stops a real Alertmanager for tests, on loopback.
#
#   tests/servers/alertmanager.sh start DIR PORT   its files are below DIR; returns when it is ready
#   tests/servers/alertmanager.sh stop DIR
#
# The program is Debian's `prometheus-alertmanager`, or `alertmanager` where it was installed otherwise.
#
# Exit code 77: it cannot be had here, with the reason on standard error.
set -euo pipefail

READY_SECONDS=60

skip() {
    echo "alertmanager: $*" >&2
    exit 77
}

start() {
    local dir=$1 port=$2 program
    program=$(command -v prometheus-alertmanager || command -v alertmanager) || skip "it is not installed"
    command -v curl >/dev/null || skip "no curl"
    mkdir -p "$dir/state"
    cat >"$dir/alertmanager.yml" <<CONF
route: {receiver: nobody}
receivers: [{name: nobody}]
CONF
    "$program" --config.file="$dir/alertmanager.yml" --storage.path="$dir/state" \
        --web.listen-address="127.0.0.1:$port" --cluster.listen-address= >"$dir/log" 2>&1 &
    echo $! >"$dir/process"
    for _ in $(seq $((READY_SECONDS * 10))); do
        curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null && return
        kill -0 "$(cat "$dir/process")" 2>/dev/null || break
        sleep 0.1
    done
    cat "$dir/log" >&2
    exit 1
}

stop() {
    local process
    process=$(cat "$1/process" 2>/dev/null) || exit 0
    kill "$process" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$process" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$process" 2>/dev/null || true
}

case "${1:-}" in
start) start "$2" "$3" ;;
stop) stop "$2" ;;
*)
    sed -n '2,/^set/p' "$0" >&2
    exit 2
    ;;
esac
