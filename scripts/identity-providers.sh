#!/usr/bin/env bash
# Installs the packages of npm that the programs under tests/idp want, exactly those of their lock files, under target; does nothing
# when they are there already. What other programs of the tests want comes from Debian (need.sh) and PyPI (venv.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

for from in tests/idp/*/package-lock.json; do
    from=$(dirname "$from")
    to=${CARGO_TARGET_DIR:-$PWD/target}/idp/$(basename "$from")
    if ! cmp -s "$from/package-lock.json" "$to/installed.json"; then
        echo "Setting up $(basename "$from") of npm in $to"
        mkdir -p "$to"
        cp "$from/package.json" "$from/package-lock.json" "$to/"
        # None of them has anything to build: scripts of strangers stay unrun.
        # Within the folder: with --prefix newer versions look for a package of the folder's name in the lock file.
        (cd "$to" && npm ci --ignore-scripts --silent --no-audit --no-fund)
        cp "$from/package-lock.json" "$to/installed.json"
    fi
done
