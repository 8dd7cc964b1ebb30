#!/usr/bin/env bash
# Starts or stops a real Kafka broker for tests: one node in KRaft mode, on loopback.
#
#   tests/servers/kafka.sh start DIR PORT [KEY=VALUE …]
#                                        keeps its data below DIR, returns when the broker is ready; further
#                                        settings go into its properties. It also listens on PORT + 1
#   tests/servers/kafka.sh stop DIR      lets it end by itself
#   tests/servers/kafka.sh kill DIR      does not
#
# The artefacts are those that Apache publishes on Maven Central. The machine's Maven fetches them once; the jars are
# kept in the user's cache folder.
#
# Exit code 77: it cannot be had here (no Java 17, no Maven, no network), with the reason on standard error.
set -euo pipefail

VERSION=${ALUDEL_KAFKA_VERSION:-4.1.1}
READY_SECONDS=240 # a loaded machine; 4 s on an idle one
JARS=${XDG_CACHE_HOME:-$HOME/.cache}/aludel/kafka-$VERSION

skip() {
    echo "kafka: $*" >&2
    exit 77
}

find_java() {
    local java
    for java in "${JAVA_HOME:-}/bin/java" /usr/lib/jvm/*/bin/java "$(command -v java || true)"; do
        [ -n "$java" ] && [ -x "$java" ] || continue
        "$java" -version 2>&1 | grep -Eq 'version "(1[7-9]|2[0-9])' || continue
        echo "$java"
        return
    done
    return 1
}

# Two tests may ask at once: the folder gets its name when it is whole.
fetch() {
    [ -d "$JARS" ] && return
    command -v mvn >/dev/null || skip "no Maven to fetch it with"
    local work
    work=$(mktemp -d)
    cat >"$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>aludel</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
    mvn -q -B -f "$work/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$work/jars" >&2 ||
        { rm -rf "$work"; skip "Maven could not fetch org.apache.kafka:kafka_2.13:$VERSION"; }
    mkdir -p "$(dirname "$JARS")"
    mv -T "$work/jars" "$JARS.$$"
    mv -T "$JARS.$$" "$JARS" 2>/dev/null || rm -rf "$JARS.$$"
    rm -rf "$work"
}

start() {
    local dir=$1 port=$2 java log properties
    shift 2
    java=$(find_java) || skip "no Java 17 or later found"
    fetch
    mkdir -p "$dir"
    log=$dir/output.log properties=$dir/server.properties
    cat >"$properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.dirs=$dir/data
PROPERTIES
    [ $# = 0 ] || printf '%s\n' "$@" >>"$properties"
    local run=("$java" -Xms128m -Xmx384m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$JARS/*")
    if [ ! -d "$dir/data" ]; then
        # Any 16 bytes will do, as base64 for URLs.
        "${run[@]}" kafka.tools.StorageTool format -t YWx1ZGVsLWZvci10ZXN0cw -c "$properties" >"$dir/format.log" 2>&1 ||
            { cat "$dir/format.log" >&2; exit 1; }
    fi
    (cd "$dir" && exec "${run[@]}" kafka.Kafka "$properties") >"$log" 2>&1 </dev/null &
    local child=$!
    echo "$child" >"$dir/pid"
    for _ in $(seq $((READY_SECONDS * 10))); do
        if grep -q "Kafka Server started" "$log"; then
            disown "$child"
            return
        fi
        kill -0 "$child" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    kill "$child" 2>/dev/null || true
    echo "kafka: not ready after $READY_SECONDS s; the end of its log is above" >&2
    exit 1
}

stop() {
    local dir=$1 signal=$2 pid
    [ -f "$dir/pid" ] || return 0
    pid=$(cat "$dir/pid")
    rm -f "$dir/pid"
    kill "-$signal" "$pid" 2>/dev/null || return 0
    for _ in $(seq 120); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.25
    done
    kill -9 "$pid" 2>/dev/null || true
}

case "${1:-}" in
start)
    dir=$(realpath -m "${2:?DIR}") port=${3:?PORT}
    shift 3
    start "$dir" "$port" "$@"
    ;;
stop) stop "$(realpath -m "${2:?DIR}")" TERM ;;
kill) stop "$(realpath -m "${2:?DIR}")" KILL ;;
*)
    echo "usage: $0 start DIR PORT [KEY=VALUE …] | stop DIR | kill DIR" >&2
    exit 2
    ;;
esac
