# Everything a developer, an operator or CI does with this tree. `make` alone prints this list.

.DEFAULT_GOAL := help
# The workspace, and what stands beside it with a lock file of its own.
PACKAGES := . fuzz benches/mapping benches/saml crates/saml/oracle
.PHONY: help run test soak fuzz conformance bench provider-bench micro fmt fmt-check lock lint deny mapping-bench saml-bench saml-rules

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start the gateway on SQLite (state in .run/); prints addresses and a token. LISTEN=127.0.0.1:9090 moves it
	@scripts/run.sh

test: ## Install the real servers and tools the tests talk to, then run every test
	@scripts/test.sh

soak: ## The long forms, an hour and more: ten minutes of fuzzing per target, then the suite; logs in target/test
	@scripts/test.sh soak

conformance: ## scim2-tester and scim-sanity against a running gateway: make conformance URL=… TOKEN=…
	@scripts/conformance.sh "$(URL)" "$(TOKEN)"

bench: ## Measure the gateway against the floor server on both stores. ARGS="--help" lists the options
	@benches/run.sh $(ARGS)

provider-bench: ## Measure what applications ask of the gateway against the floor server. ARGS="--help" lists the options
	@benches/provider.sh $(ARGS)

mapping-bench: ## Measure the mapping language against V8 and hand-written Rust. ARGS="--write" puts the table into BENCHMARKS.md
	@benches/mapping/run.sh $(ARGS)

saml-bench: ## Measure the acceptance of a SAML response beside node-saml and pysaml2. ARGS="--write" puts the table into BENCHMARKS.md
	@benches/saml/run.sh $(ARGS)

saml-rules: ## Switch off SAML's rules one by one and see which test notices. ARGS="--write" renews crates/saml/RULES.md
	@scripts/saml-rules.py $(ARGS)

fuzz: ## Fuzz the mapping language and SAML for a minute per target; ARGS="600 --gateway" longer, and the gateway's own readers
	@scripts/fuzz.sh $(or $(ARGS),60)

micro: ## Micro-benchmarks without a database: filter parsing, PATCH
	@cargo bench --bench micro

fmt: ## Format the code
	@for package in $(PACKAGES); do cargo fmt --all --manifest-path $$package/Cargo.toml; done

fmt-check: ## Fail if `make fmt` would change anything
	@for package in $(PACKAGES); do cargo fmt --all --check --manifest-path $$package/Cargo.toml || exit 1; done

lock: ## Bring the lock files of the packages outside the workspace up to date after a change of dependencies
	@for package in $(filter-out .,$(PACKAGES)); do cargo metadata --format-version 1 --manifest-path $$package/Cargo.toml >/dev/null; done

lint: ## Clippy over everything, warnings are errors
	@cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, duplicates, sources and advisories of the dependencies (deny.toml)
	@scripts/deny.sh
