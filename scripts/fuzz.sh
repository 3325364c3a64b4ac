#!/usr/bin/env bash
# scripts/fuzz.sh SECONDS [--gateway] [TARGET…]
# Builds the fuzz targets with coverage instrumentation on the stable compiler and runs each for SECONDS with a fixed
# seed, beginning with the samples under fuzz/seeds/TARGET. A finding stops it, with the input that shows it.
# --gateway adds the targets that need the whole gateway (a build of several minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?seconds per target}
shift
features=()
targets=(mapping_syntax mapping_format mapping_eval mapping_import saml_response saml_scan)
if [ "${1:-}" = --gateway ]; then
    shift
    features=(--features gateway)
    targets+=(scim_filter scim_patch user_search ldap_controls oidc_login)
fi
[ $# -eq 0 ] || targets=("$@")

folder=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
triple=$(rustc -vV | sed -n 's/^host: //p')
# What cargo-fuzz passes, without the sanitizers: those need a nightly compiler. The calls of libxmlsec1, the one
# unsafe code, are watched by valgrind when they change (docs/decisions/0048).
# --target keeps the flags away from build scripts.
CARGO_TARGET_DIR=$folder RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$triple" "${features[@]}"

for target in "${targets[@]}"; do
    corpus=$folder/corpus/$target
    seeds=fuzz/seeds/$target
    mkdir -p "$corpus" "$folder/findings"
    dictionary=()
    [ ! -f "fuzz/seeds/$target.dict" ] || dictionary=(-dict="fuzz/seeds/$target.dict")
    echo "== $target: $seconds s"
    log=$folder/$target.log
    if ! "$folder/$triple/release/$target" "$corpus" $([ -d "$seeds" ] && echo "$seeds") "${dictionary[@]}" \
        -seed=20261126 -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
        -artifact_prefix="$folder/findings/$target-" -print_final_stats=1 >"$log" 2>&1; then
        tail -40 "$log" >&2
        echo "$target found something: the input is in $folder/findings" >&2
        exit 1
    fi
    grep '^stat::number_of_executed_units\|^stat::average_exec' "$log"
done
