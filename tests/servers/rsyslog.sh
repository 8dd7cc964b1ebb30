#!/usr/bin/env bash
# Starts or stops rsyslog as an agent that ships a file to what it takes for Elasticsearch.
#
#   tests/servers/rsyslog.sh start DIR PORT FILE   ships the lines of FILE, as documents {"line": "…"}, with `_bulk`
#                                                  requests to 127.0.0.1:PORT, index `shop`; its files are below DIR
#   tests/servers/rsyslog.sh stop DIR
#
# Where rsyslog with its module omelasticsearch is not installed, Debian's packages are fetched by the machine's apt and
# unpacked in the user's cache folder: installed, they would start a daemon for the whole machine.
#
# Exit code 77: it cannot be had here (no apt, no network), with the reason on standard error.
set -euo pipefail

CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/aludel/rsyslog
PACKAGES=(rsyslog rsyslog-elasticsearch libestr0 libfastjson4)

skip() {
    echo "rsyslog: $*" >&2
    exit 77
}

# Two tests may ask at once: the folder gets its name when it is whole.
fetch() {
    [ -d "$CACHE" ] && return
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || skip "no apt to fetch it with"
    local work
    work=$(mktemp -d)
    (
        cd "$work"
        apt-get download -qq "${PACKAGES[@]}" >&2 || { apt-get update -qq >&2 && apt-get download -qq "${PACKAGES[@]}" >&2; }
    ) || { rm -rf "$work"; skip "apt could not fetch ${PACKAGES[*]}"; }
    for package in "$work"/*.deb; do
        dpkg -x "$package" "$work/root"
    done
    mkdir -p "$(dirname "$CACHE")"
    mv -T "$work/root" "$CACHE.$$"
    mv -T "$CACHE.$$" "$CACHE" 2>/dev/null || rm -rf "$CACHE.$$"
    rm -rf "$work"
}

start() {
    local dir=$1 port=$2 file=$3 program modules libraries=""
    modules=$(find /usr/lib /lib -name omelasticsearch.so -path '*/rsyslog/*' 2>/dev/null | head -1)
    program=$(command -v rsyslogd || true)
    if [ -z "$program" ] || [ -z "$modules" ]; then
        fetch
        program=$CACHE/usr/sbin/rsyslogd
        modules=$(find "$CACHE" -name omelasticsearch.so | head -1)
        libraries=$(dirname "$(dirname "$modules")")
    fi
    mkdir -p "$dir/state"
    cat >"$dir/rsyslog.conf" <<CONF
global(workDirectory="$dir/state")
module(load="imfile" mode="inotify")
module(load="omelasticsearch")
template(name="document" type="list") {
  constant(value="{\"line\":\"") property(name="msg" format="json") constant(value="\"}")
}
input(type="imfile" file="$file" tag="shop" ruleset="ship")
ruleset(name="ship") {
  action(type="omelasticsearch" server="127.0.0.1" serverport="$port" searchIndex="shop" searchType=""
         bulkmode="on" template="document" errorfile="$dir/errors" retryfailures="on"
         queue.type="linkedList" queue.dequeueBatchSize="200" action.resumeRetryCount="-1" action.resumeInterval="1")
}
CONF
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$program" -n -M "$(dirname "$modules")" \
        -f "$dir/rsyslog.conf" -i "$dir/pid" >"$dir/log" 2>&1 &
    echo $! >"$dir/process"
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
start) start "$2" "$3" "$4" ;;
stop) stop "$2" ;;
*)
    sed -n '2,/^set/p' "$0" >&2
    exit 2
    ;;
esac
