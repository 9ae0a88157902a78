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

# The peers' environments are made at the first run, in benchmarks/.venv-* and benchmarks/bullmq.
.PHONY: bench bench-scale
bench: venv
	-$(BIN)/python -m benchmarks.main_job --keep benchmarks/results/main_job.json $(ARGS)
	$(BIN)/python -m benchmarks.floor --keep benchmarks/results/floor.json $(ARGS)
	$(BIN)/python -m benchmarks --keep benchmarks/results/peers.json $(ARGS)
	$(BIN)/python -m benchmarks.many_schedules --keep benchmarks/results/many_schedules.json
	$(BIN)/python -m benchmarks.many_schedules --count 10000 --stretch 10 --seconds 120 \
	  --keep benchmarks/results/ten_thousand_schedules.json
	$(BIN)/python -m benchmarks.summary benchmarks/results/peers.json

bench-scale: venv
	$(BIN)/python -m benchmarks.growth --keep benchmarks/results/growth.json $(ARGS)
