# Self-documenting: `make help`.
PYTHON   ?= python3
PIP_ARGS ?=
BIN      := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help dataset docs experiment quality train-demo test test-e2e test-all lint format clean

help:  ## Show this help
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS) -e .
	@touch $@

.venv/dev: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS) -e '.[dev]'
	@touch $@

.venv/docs: .venv/run
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_ARGS) -e '.[docs]'
	@touch $@

dataset: .venv/run  ## Build the embedded corpus into runs/demo/ (no network, key or GPU)
	@$(BIN)/leaf build pipelines/demo.yaml

train-demo: .venv/run  ## Teach the packaged tiny model drawn lessons, and look at an answer
	@$(BIN)/leaf build pipelines/demo-lessons.yaml
	@$(BIN)/leaf train pipelines/train-demo.yaml
	@$(BIN)/leaf generate pipelines/train-demo.yaml "How do I draw a red house with a blue door?" --out runs/tiny-lessons/answer --seed 1

experiment: .venv/run  ## Training data x adapter on the packaged model, about two hours on two cores; goes on where it was stopped
	@$(BIN)/python experiments/experiment.py run experiments/moss.yaml --size small
	@$(BIN)/python experiments/experiment.py report experiments/moss.yaml

quality: .venv/run  ## Which planted defects pipelines/strict.yaml finds, and which clean pages it costs: docs/quality.md
	@$(BIN)/python scripts/quality.py

test: lint  ## Lint, types and unit tests; PACKAGE=filter for those of one package
	$(BIN)/pytest -m 'not slow and not e2e' -n auto --dist loadfile $(if $(PACKAGE),tests/$(PACKAGE),tests --ignore tests/e2e)

test-e2e: .venv/dev  ## Whole builds, kills, training runs, bombs, pages in a browser, the documentation
	$(BIN)/pytest -m 'e2e and not slow' -n auto --dist loadfile

test-all: lint  ## All tests, with the slow ones (a thousand kills, large builds)
	$(BIN)/pytest -n auto --dist loadfile --hypothesis-profile thorough

lint: .venv/dev  ## Lint and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/docs  ## Build the documentation into site/ (no network)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: .venv/dev  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment and the runs
	rm -rf .venv runs site
