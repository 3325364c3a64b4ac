# Everything a developer, an operator or CI does with this tree. `make` alone prints this list.

.DEFAULT_GOAL := help
.PHONY: help run test soak conformance bench micro fmt fmt-check lint deny

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start the gateway on SQLite (state in .run/); prints addresses and a token. LISTEN=127.0.0.1:9090 moves it
	@scripts/run.sh

test: ## Install the real servers and tools the tests talk to, then run every test
	@scripts/test.sh

soak: ## The suite alone, its log in target/test/soak.log. Longer forms (ROSTERD_SOAK=1) are not written yet
	@scripts/test.sh soak

conformance: ## scim2-tester and scim-sanity against a running gateway: make conformance URL=… TOKEN=…
	@scripts/conformance.sh "$(URL)" "$(TOKEN)"

bench: ## Measure the gateway against the floor server on both stores. ARGS="--help" lists the options
	@benches/run.sh $(ARGS)

micro: ## Micro-benchmarks without a database: filter parsing, PATCH
	@cargo bench --bench micro

fmt: ## Format the code
	@cargo fmt

fmt-check: ## Fail if `make fmt` would change anything
	@cargo fmt --check

lint: ## Clippy over everything, warnings are errors
	@cargo clippy --locked --all-targets -- -D warnings

deny: ## Licences, duplicates, sources and advisories of the dependencies (deny.toml)
	@scripts/deny.sh
