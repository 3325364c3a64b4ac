#!/usr/bin/env bash
# Offers the gateway twice of what it can do and checks how it bears that, on both stores. Options: benches/overload.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
    *" --help "* | *" -h "*) exec python3 benches/overload.py "$@" ;;
esac
scripts/need.sh overload
cargo build --release --locked --bin rosterd
unset "${!ROSTERD__@}"
exec python3 benches/overload.py "$@"
