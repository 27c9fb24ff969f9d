# One line a task; `make` alone lists them. Options for the program go into ARGS: make demo ARGS=--once
.PHONY: help setup demo run test check bench format lock changelog
.DEFAULT_GOAL := help
BIN := .venv/bin

help:      ## list the tasks
	@sed -n 's/^\([a-z]*\): *.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

setup:     ## set up everything that is missing: environment, locked libraries, speech model
	@scripts/setup run

demo:      ## sample callers phone the voicebot; ARGS=--once stops afterwards
	@scripts/setup run
	@$(BIN)/anruflotse demo $(ARGS)

run:       ## the service itself
	@scripts/setup run
	@$(BIN)/anruflotse run $(ARGS)

test:      ## every test
	@scripts/setup test
	@$(BIN)/pytest --numprocesses 2 $(ARGS)

check:     ## lint, format, types, import contracts, changelog
	@scripts/setup check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/towncrier build --draft --version next > /dev/null

bench:     ## the benchmarks
	@scripts/setup test
	@$(BIN)/anruflotse bench $(ARGS)

format:    ## put the code into shape
	@scripts/setup check
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

lock:      ## write the lock files anew; ARGS=--upgrade takes the newest versions
	@scripts/setup check
	@scripts/lock $(ARGS)

changelog: ## collect changelog.d/ into CHANGELOG.md for the version in src/anruflotse/__init__.py
	@scripts/setup check
	$(BIN)/towncrier build
