# Two commands for a newcomer: `make demo` shows the product working, `make test` proves it.
.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint lint-deploy fmt bench

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## install what the other targets need and is missing
	@scripts/setup

demo: ## the product with a simulated upstream: a chat, an image, a video
	@scripts/demo

run: ## the product itself: SQLite and files in ./data, the real upstream
	@scripts/setup build
	cargo build --release
	./target/release/grok2api serve

test: ## all tests
	@scripts/setup test
	@scripts/test

lint: ## formatting and lints, as CI runs them
	@scripts/setup build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

lint-deploy: ## chart, compose file, image, workflows: linted, and their settings put to the binary
	@scripts/lint-deploy

fmt: ## format the source
	cargo fmt --all

bench: ## the hot paths (criterion), and the ledger at a size: LEDGER_ROWS=10000000
	@scripts/setup build
	cargo bench -p grok2api-server --bench stream_path
	cargo bench -p grok2api-token-pool --bench pool
	cargo bench -p grok2api-gateway --bench usage
	cargo bench -p grok2api-storage --bench ledger
