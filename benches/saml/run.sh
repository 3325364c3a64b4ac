#!/usr/bin/env bash
# Measures the acceptance of one SAML response in our crate, node-saml and pysaml2, in one run. Options: run.sh --help
set -euo pipefail
cd "$(dirname "$0")"

case " $* " in
    *" --help "* | *" -h "*) exec python3 compare.py "$@" ;;
esac
for tool in node npm python3 cargo xmlsec1; do
    command -v "$tool" >/dev/null || { echo "run.sh: $tool is missing (Debian: nodejs npm python3 xmlsec1; Rust by rustup)" >&2; exit 1; }
done
cargo build --release --locked
[ -d node_modules ] || npm ci --silent --no-audit --no-fund
venv=${CARGO_TARGET_DIR:-$PWD/target}/venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement requirements.txt
fi
exec "$venv/bin/python" compare.py "$@"
