#!/usr/bin/env bash
# Starts or stops a real Elasticsearch for tests, on loopback.
#
#   tests/servers/elasticsearch.sh start DIR PORT [PASSWORD]
#                                                    unpacks below DIR, returns when the server is ready; with a
#                                                    password it asks for it, from the user `elastic`
#   tests/servers/elasticsearch.sh stop DIR          lets it end by itself
#   tests/servers/elasticsearch.sh kill DIR          does not
#
# The artefact is the server that Elastic publishes for integration tests on Maven Central: the ordinary server
# without a JDK and with few modules (no ingest processors, no ILM, no REST for data streams, which
# `_bulk` makes; no API keys, whose index needs a module that is not there).
# It is fetched once by the machine's Maven into its own repository. Elasticsearch refuses to run as root, so root
# runs it as the user `aludel-es`, which is made where it is missing.
#
# Exit code 77: it cannot be had here (no Java 17, no Maven, no network), with the reason on standard error.
set -euo pipefail

VERSION=${ALUDEL_ELASTICSEARCH_VERSION:-8.19.21} # the newest one published; runs on Java 17 and later
GROUP=org.elasticsearch.distribution.integ-test-zip
READY_SECONDS=300 # a loaded machine; 12 s on an idle one
USER_NAME=aludel-es

skip() {
    echo "elasticsearch: $*" >&2
    exit 77
}

find_java() {
    local home
    for home in "${ES_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/*; do
        [ -n "$home" ] && [ -x "$home/bin/java" ] || continue
        "$home/bin/java" -version 2>&1 | grep -Eq 'version "(1[7-9]|2[0-4])' || continue
        echo "$home"
        return
    done
    return 1
}

fetch() {
    local repository=${MAVEN_REPOSITORY:-$HOME/.m2/repository}
    local zip="$repository/${GROUP//.//}/elasticsearch/$VERSION/elasticsearch-$VERSION.zip"
    if [ ! -f "$zip" ]; then
        command -v mvn >/dev/null || skip "no Maven to fetch it with"
        mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:get -Dtransitive=false \
            -Dartifact="$GROUP:elasticsearch:$VERSION:zip" >&2 || skip "Maven could not fetch $GROUP:elasticsearch:$VERSION"
    fi
    [ -f "$zip" ] || skip "$zip is missing after the fetch"
    echo "$zip"
}

start() {
    local dir=$1 port=$2 password=$3 tool java zip home secure=false run=()
    java=$(find_java) || skip "no Java 17 to 24 found"
    zip=$(fetch)
    for tool in unzip curl setpriv; do
        command -v "$tool" >/dev/null || skip "no $tool"
    done
    home=$dir/elasticsearch-$VERSION
    mkdir -p "$dir"
    [ -d "$home" ] || unzip -q "$zip" -d "$dir"
    chmod +x "$home"/bin/*
    if [ "$(id -u)" = 0 ]; then
        id "$USER_NAME" >/dev/null 2>&1 || useradd --system --no-create-home "$USER_NAME" || skip "cannot make a user"
        chown -R "$USER_NAME" "$dir"
        # The folders above may be closed to others (a temporary folder is 0700).
        run=(setpriv --reuid="$USER_NAME" --clear-groups --inh-caps=-all)
        "${run[@]}" test -x "$home/bin/elasticsearch" || skip "$home cannot be reached by $USER_NAME"
    fi
    export ES_JAVA_HOME=$java ES_JAVA_OPTS="-Xms512m -Xmx512m"
    if [ -n "$password" ]; then
        secure=true
        if [ ! -f "$home/config/elasticsearch.keystore" ]; then
            "${run[@]}" "$home/bin/elasticsearch-keystore" create >/dev/null
            printf '%s' "$password" |
                "${run[@]}" "$home/bin/elasticsearch-keystore" add --stdin bootstrap.password >/dev/null
        fi
    fi
    (
        cd "$home"
        HOME=$home exec "${run[@]}" bin/elasticsearch -p "$dir/pid" \
            -E discovery.type=single-node -E network.host=127.0.0.1 \
            -E http.port="$port" -E transport.port="$((port + 1))" \
            -E xpack.security.enabled="$secure" \
            -E xpack.security.transport.ssl.enabled=false -E xpack.security.http.ssl.enabled=false \
            -E cluster.routing.allocation.disk.threshold_enabled=false \
            -E path.data="$dir/data" -E path.logs="$dir/logs"
    ) >"$dir/output.log" 2>&1 </dev/null &
    local child=$!
    for _ in $(seq $((READY_SECONDS * 2))); do
        if curl -sf -u "elastic:$password" "http://127.0.0.1:$port/_cluster/health" >/dev/null 2>&1; then
            disown "$child"
            return
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 20 "$dir/output.log" >&2
    kill "$child" 2>/dev/null || true
    echo "elasticsearch: not ready after $READY_SECONDS s; the end of its log is above" >&2
    exit 1
}

stop() {
    local dir=$1 signal=$2 pid
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    kill "-$signal" "$pid" 2>/dev/null || return 0
    for _ in $(seq 60); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.25
    done
    kill -9 "$pid" 2>/dev/null || true
}

case "${1:-}" in
start) start "$(realpath -m "${2:?DIR}")" "${3:?PORT}" "${4:-}" ;;
stop) stop "$(realpath -m "${2:?DIR}")" TERM ;;
kill) stop "$(realpath -m "${2:?DIR}")" KILL ;;
*)
    echo "usage: $0 start DIR PORT [PASSWORD] | stop DIR | kill DIR" >&2
    exit 2
    ;;
esac
