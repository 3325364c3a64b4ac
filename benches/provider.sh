#!/usr/bin/env bash
# Measures what applications ask of the gateway against the floor server (benches/floor) in one run, on both stores. Options: --help
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
    *" --help "* | *" -h "*) exec python3 benches/provider.py "$@" ;;
esac
scripts/need.sh bench
cargo build --release --locked --bin rosterd --example floor
# A setting of the developer's own must not reach the servers under test.
unset "${!ROSTERD__@}"
exec python3 benches/provider.py "$@"
