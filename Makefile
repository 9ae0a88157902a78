# The two commands are `make run` and `make test`. Both make what they need in .venv; remove that
# folder to start anew. A bare Debian 12 needs: apt-get install make python3.11-venv

VENV ?= .venv
BIN := $(VENV)/bin
# Further arguments for pytest: make test ARGS="-x tests/embedded"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow faults soak lint venv venv-run servers

help:
	@echo "make run        embedded Redis, beat and worker on schedules/*.yaml, with a live view"
	@echo "make test       the suite, without what takes minutes"
	@echo "make test-slow  the tests that take minutes"
	@echo "make faults     the tests that kill, pause and cut real processes"
	@echo "make soak       ten minutes of churn; BEATLINE_SOAK_S sets another length"
	@echo "make lint       ruff, mypy, pyright and luacheck"
	@echo "make venv       .venv with everything for development"

run: venv-run
	@exec $(BIN)/sched up -A examples/app.py:app --schedules schedules --enqueue probe

test: venv servers
	$(BIN)/pytest -m "not slow and not faults" -n 3 --dist worksteal $(ARGS)

test-slow: venv servers
	$(BIN)/pytest -m slow $(ARGS)

faults: venv servers
	$(BIN)/pytest -m faults -n 3 --dist worksteal tests/faults $(ARGS)

soak: venv servers
	BEATLINE_SOAK_S=$${BEATLINE_SOAK_S:-600} $(BIN)/pytest tests/faults/test_soak.py $(ARGS)

lint: venv
	.ci/lint $(BIN)

venv:
	@.ci/environment $(VENV) embedded,dev

venv-run:
	@.ci/environment $(VENV) embedded

servers:
	@.ci/servers

# The peers' environments are made at the first run, in benchmarks/.venv-* and benchmarks/bullmq;
# `make bench-peers` makes them beforehand. `make bench ARGS=--resume` goes on with a run that was
# cut off, `make bench ARGS=--plan` says what is measured and how long it takes.
.PHONY: bench bench-ours bench-peers bench-scale
bench: venv
	$(BIN)/python -m benchmarks --rounds 3 --keep benchmarks/results/comparison.json $(ARGS)

bench-ours: venv
	$(BIN)/python -m benchmarks --ours --rounds 3 --keep benchmarks/results/ours.json $(ARGS)

bench-peers: venv
	$(BIN)/python -m benchmarks.environments

bench-scale: venv
	$(BIN)/python -m benchmarks.growth --keep benchmarks/results/growth.json $(ARGS)
