#!/bin/sh
# Installs those of the given Debian packages that are missing, where that is possible.
set -u
missing=""
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed, and can't be from here:$missing. Tests that need them will be skipped."
    exit 0
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
    rm "$log"
else
    tail -n 20 "$log"
    echo "Could not install$missing. Tests that need them will be skipped."
fi
