#!/usr/bin/env bash
# Gets the peers that Debian packages, rsyslog and syslog-ng, for `benches/race/run`. The two exclude each other as
# installed packages, so they are unpacked below `target/race/peers` instead: nothing of the system changes, no root
# is needed. Safe to call again. What is installed already is found on the path without this.
set -euo pipefail
cd "$(dirname "$0")/../.."

peers=$PWD/target/race/peers
root=$peers/root
packages=(
    rsyslog rsyslog-elasticsearch libestr0 libfastjson4 liblognorm5
    syslog-ng-core syslog-ng-mod-http libivykis0 libnet1 libpcre3 libwrap0 libcurl4
)

command -v apt-get >/dev/null || { echo "rsyslog and syslog-ng are unpacked from Debian packages: this needs apt-get" >&2; exit 1; }
mkdir -p "$peers/packages" "$peers/bin" "$root"
(cd "$peers/packages" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}")
for package in "$peers"/packages/*.deb; do
    dpkg -x "$package" "$root"
done

libraries=$(dirname "$(find "$root" -name 'libestr.so.0' | head -n 1)")
modules=$(dirname "$(find "$root" -name 'omelasticsearch.so' | head -n 1)")
bulk=$(dirname "$(find "$root" -name 'libhttp.so' | head -n 1)")
wrapper() {
    printf '#!/bin/sh\nexport LD_LIBRARY_PATH="%s"\nexec "%s" "$@"\n' "$2" "$root/usr/sbin/$1" >"$peers/bin/$1"
    chmod +x "$peers/bin/$1"
}
wrapper rsyslogd "$libraries:$root/lib/${libraries##*/}"
wrapper syslog-ng "$libraries:$root/lib/${libraries##*/}:$root/usr/lib/syslog-ng"
sed -i "s|\"\$@\"|-M '$modules' \"\$@\"|" "$peers/bin/rsyslogd"
sed -i "s|\"\$@\"|--module-path='$bulk' \"\$@\"|" "$peers/bin/syslog-ng"
"$peers/bin/rsyslogd" -v | head -n 1
"$peers/bin/syslog-ng" -V | head -n 1
