#!/usr/bin/env bash
# Installs the packages of npm that tests/idp/node-samlp wants, exactly those of its lock file, under target; does nothing when
# they are there already. The other identity providers of the tests come from Debian (need.sh) and PyPI (venv.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
from=tests/idp/node-samlp
to=${CARGO_TARGET_DIR:-$PWD/target}/idp/node-samlp

if ! cmp -s "$from/package-lock.json" "$to/installed.json"; then
    echo "Setting up an identity provider of npm in $to"
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$to/"
    # None of them has anything to build: scripts of strangers stay unrun.
    npm ci --prefix "$to" --ignore-scripts --silent --no-audit --no-fund
    cp "$from/package-lock.json" "$to/installed.json"
fi
