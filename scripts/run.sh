#!/usr/bin/env bash
# Builds the release binary and starts the gateway on SQLite, everything it keeps in .run/. `serve --bootstrap` prints
# the addresses, a token and a request to try. LISTEN=ADDRESS:PORT moves it; any ROSTERD__SECTION__KEY is passed on.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

scripts/need.sh build
cargo build --release --locked --bin rosterd

export ROSTERD__MAPPINGS__DIR=${ROSTERD__MAPPINGS__DIR:-$root/mappings}
[ -z "${LISTEN:-}" ] || export ROSTERD__SERVER__LISTEN=$LISTEN
mkdir -p .run
cd .run
exec "${CARGO_TARGET_DIR:-$root/target}/release/rosterd" serve --bootstrap
