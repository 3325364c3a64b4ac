#!/usr/bin/env bash
# Measures whether cost stays flat at a million users, and memory, on both stores. Options: benches/scale.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
    *" --help "* | *" -h "*) exec python3 benches/scale.py "$@" ;;
esac
scripts/need.sh bench
cargo build --release --locked --bin rosterd
unset "${!ROSTERD__@}"
exec python3 benches/scale.py "$@"
