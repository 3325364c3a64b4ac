#!/usr/bin/env bash
# Checks the dependencies against deny.toml. cargo-deny is built once into target/tools when it is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2
tools=${CARGO_TARGET_DIR:-$PWD/target}/tools

if ! PATH=$tools/bin:$PATH cargo deny --version >/dev/null 2>&1; then
    echo "Building cargo-deny $version into $tools (about a minute, once)"
    # Unoptimised: it builds in half the time and runs for three seconds.
    cargo install cargo-deny --version "$version" --locked --debug --config profile.dev.debug=false --root "$tools" --quiet
fi
export PATH=$tools/bin:$PATH

cargo deny --locked --workspace check bans licenses sources
if cargo deny --locked fetch db >"$tools.advisories.log" 2>&1; then
    cargo deny --locked --workspace check --disable-fetch advisories
else
    echo "Advisories were NOT checked: their database could not be fetched from here ($tools.advisories.log says why)."
fi
