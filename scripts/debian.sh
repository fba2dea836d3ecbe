#!/bin/sh
# Installs those of the given Debian packages that are missing, where that is possible.
# BECAUSE says what follows where it is not.
set -u
because=${BECAUSE:-Tests that need them will be skipped.}
missing=""
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed, and can't be from here:$missing. $because"
    exit 0
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends $missing >>"$log" 2>&1; then
    rm "$log"
else
    tail -n 20 "$log"
    echo "Could not install$missing. $because"
fi
