#!/usr/bin/env bash
# scripts/test.sh [soak]
# Every test: unit tests, the mapping language, SAML messages, some fuzzing of both, documentation examples, then the suite, which
# talks to the release binary, a PostgreSQL it starts itself, identity providers and the pinned conformance tools. With `soak`,
# long fuzzing and the suite.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
logs=$target/test

scripts/need.sh test
scripts/venv.sh
scripts/identity-providers.sh
cargo build --release --locked --bin rosterd

# The suite finds PostgreSQL, the tools of Python (.venv) and of npm (target/idp) where the scripts above put them.
export ROSTERD_BIN=$target/release/rosterd
# A setting of the developer's own must not reach the servers under test.
unset "${!ROSTERD__@}"

mkdir -p "$logs"
rm -f "$logs"/summary
run() { # run NAME CARGO-TEST-ARGUMENTS… : shows the output, keeps it, and keeps the runner's own result lines
    local name=$1
    shift
    cargo test --locked "$@" 2>&1 | tee "$logs/$name.log"
    grep '^test result:' "$logs/$name.log" >>"$logs/summary"
}

if [ "${1:-}" = soak ]; then
    scripts/fuzz.sh 600 --gateway
    # The suite's tests ask it (tests/suite/support/form.rs).
    export ROSTERD_TEST_FORM=long
    # SAML's tests once more, each signature judged by a second library that has to agree.
    run saml-oracle --manifest-path crates/saml/oracle/Cargo.toml
    run soak --test suite -- --nocapture
else
    run unit --lib --bins
    run language -p rosterd-mapping
    run saml -p rosterd-saml
    # A rule of SAML that no test would miss, or another table than the one that is committed.
    scripts/saml-rules.py --check
    # Bounded here, with a fixed seed; the long form is `make soak`.
    scripts/fuzz.sh 15
    run examples --doc
    # Tests of the suite wait for servers more than they work: two for each processor.
    run suite --test suite -- --test-threads="$((2 * $(nproc)))"
fi

echo
echo "Unit tests, the mapping language (its unit tests, then file by file), SAML, examples and the suite, in this order:"
cat "$logs/summary"
