#!/usr/bin/env bash
# Installs what the tests run against, from the system's own package sources. Safe to call again; does nothing
# where the programs are there already. Without root it only says what is missing: the tests that need it are
# then skipped, loudly.
set -euo pipefail

packages=()
need() { command -v "$1" >/dev/null 2>&1 || packages+=("$2"); }
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need mvn maven
need java default-jre-headless
need unzip unzip
need curl curl
need openssl openssl
need python3 python3
need go golang-go # 1.21 or newer; it fetches the release that it needs by itself
need valgrind valgrind
# The system's own Python has it, whatever `python3` is on the path.
/usr/bin/python3 -c "import aiosmtpd" >/dev/null 2>&1 || packages+=(python3-aiosmtpd)
# Debian's Python comes without what makes virtual environments.
python3 -c "import ensurepip" >/dev/null 2>&1 || packages+=(python3-venv)

[ ${#packages[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "not installed (needs root and apt-get): ${packages[*]}" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
