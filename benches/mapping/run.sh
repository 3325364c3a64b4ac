#!/usr/bin/env bash
# Measures one rich mapping in V8, written by hand in Rust, and in our language, in one run. Options: run.sh --help
set -euo pipefail
cd "$(dirname "$0")"

case " $* " in
    *" --help "* | *" -h "*) exec python3 compare.py "$@" ;;
esac
for tool in node python3 cargo; do
    command -v "$tool" >/dev/null || { echo "run.sh: $tool is missing (Debian: nodejs, python3; Rust by rustup)" >&2; exit 1; }
done
cargo build --release --locked
exec python3 compare.py "$@"
