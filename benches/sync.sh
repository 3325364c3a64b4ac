#!/usr/bin/env bash
# Measures runs over a directory of a hundred thousand people, on both stores. Options: benches/sync.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

case " $* " in
    *" --help "* | *" -h "*) exec python3 benches/sync.py "$@" ;;
esac
scripts/need.sh sync
cargo build --release --locked --bin rosterd
unset "${!ROSTERD__@}"
exec python3 benches/sync.py "$@"
