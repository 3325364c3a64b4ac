#!/usr/bin/env bash
# Makes .venv with exactly the tools of scripts/requirements.txt; does nothing when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cmp -s scripts/requirements.txt .venv/installed.txt; then
    echo "Setting up the tools of Python that tests use in .venv"
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r scripts/requirements.txt
    cp scripts/requirements.txt .venv/installed.txt
fi
