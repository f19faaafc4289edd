# notemill. `make` alone says what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV := .venv/bin
NAME ?= pairs
REPROCESS ?= failed
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup env demo run train ui test lint bench test-cluster up down status clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## the environment in .venv, with a JVM where there is none (quick when nothing changed)
	@$(PYTHON) stack/setup.py

demo: setup  ## the daily DAG over nine generated days: one by hand, the others as a backfill [TEACHER=yes: with tags]
	@$(VENV)/python -m stack demo $(if $(NOTES),--notes $(NOTES)) $(if $(DAYS),--days $(DAYS)) \
	    $(if $(TEACHER),--teacher)

run: setup  ## your own data: make run CONFIG=config.yaml DAY=2026-01-31, or FROM=... TO=... [REPROCESS=none|failed|completed]
	@test -n "$(CONFIG)" || { echo "say which data: make run CONFIG=path/to/config.yaml (see docs/your-data.md)" >&2; exit 2; }
	@$(VENV)/python -m stack run --config "$(CONFIG)" --reprocess $(REPROCESS) $(if $(DAY),--day $(DAY)) \
	    $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(ACTIVE),--max-active-runs $(ACTIVE))

train: setup  ## the weekly DAG (handbook, tagger, recommender, a quantizer): make train [CONFIG=config.yaml] [DAY=2026-01-31]
	@$(VENV)/python -m stack train $(if $(CONFIG),--config "$(CONFIG)") $(if $(DAY),--day $(DAY))

ui: setup  ## leave the servers up and print address and login: make ui [CONFIG=config.yaml]
	@$(VENV)/python -m stack ui $(if $(CONFIG),--config "$(CONFIG)")

up: ui  ## the same as ui

down:  ## stop what runs here, and end what a killed stack left behind
	@test ! -x $(VENV)/python || $(VENV)/python -m stack down

status:  ## what runs here, and where it answers
	@test ! -x $(VENV)/python || $(VENV)/python -m stack status

lint: setup  ## ruff and mypy
	@$(VENV)/ruff check .
	@$(VENV)/mypy

test: setup  ## everything: ruff, mypy, pytest
	@$(VENV)/python -m stack.checks $(if $(ARGS),$(ARGS))

bench: setup  ## one benchmark: make bench NAME=pairs
	@$(VENV)/python -m benchmarks.$(NAME)

test-cluster: setup  ## the DAG on a real topology without containers: PostgreSQL over TCP, a Spark master, two workers
	@$(VENV)/python -m tests.cluster

env:  ## write .env for the compose file, with secrets made on the spot
	@$(PYTHON) deploy/env.py

clean: down  ## remove generated state (.notemill) and caches; .venv stays
	@rm -rf .notemill .mypy_cache .ruff_cache .pytest_cache .hypothesis spark-warehouse
