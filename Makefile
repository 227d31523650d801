# Two commands for a newcomer: `make demo` shows the product working, `make test` proves it.
.DEFAULT_GOAL := help
.PHONY: help setup console demo cluster cluster-down run test lint lint-deploy fmt bench fuzz

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## install what the other targets need and is missing
	@scripts/setup

console: ## the browser console into admin-web/dist, which the next cargo build takes in
	@scripts/console

demo: ## the product with a simulated upstream: a chat, an image, a video
	@scripts/demo

cluster: ## two of every role on this machine, over MariaDB and Redis, with a simulated upstream
	@scripts/cluster up

cluster-down: ## ends what `make cluster` started
	@scripts/cluster down

run: ## the product itself: SQLite and files in ./data, the real upstream
	@scripts/setup build
	cargo build --release
	./target/release/grok2api serve

test: ## all tests
	@scripts/setup build
	@scripts/test

lint: ## formatting and lints, as CI runs them
	@scripts/setup build
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- -D warnings
	npm --prefix admin-web run check

lint-deploy: ## chart, compose file, image, workflows: linted, and their settings put to the binary
	@scripts/lint-deploy

fmt: ## format the source
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	npm --prefix admin-web run fmt

bench: ## the hot paths (criterion), and the ledger at a size: LEDGER_ROWS=10000000
	@scripts/setup build
	cargo bench -p grok2api-server --bench stream_path
	cargo bench -p grok2api-token-pool --bench pool
	cargo bench -p grok2api-gateway --bench usage
	cargo bench -p grok2api-storage --bench ledger

fuzz: ## the sieve of calls, the decoder and the encoders under random input, each for FUZZ_SECONDS=300
	@scripts/setup build
	@scripts/fuzz
