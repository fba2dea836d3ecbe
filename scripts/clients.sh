#!/bin/sh
# Installs Pusher's own clients for the tests, exactly as locked, where npm is there.
set -u
cd "$(dirname "$0")/../tests/clients" || exit 1
skipped="Tests with Pusher's JavaScript clients will be skipped."
if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo "Node or npm is not installed. $skipped"
    exit 0
fi
log=$(mktemp)
if npm ci --ignore-scripts >"$log" 2>&1; then
    rm "$log"
else
    tail -n 20 "$log"
    rm -rf node_modules
    echo "npm could not install the packages of tests/clients. $skipped"
fi
