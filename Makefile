# The commands of the project; each installs what it needs into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SHELL  := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: help demo test check format system-packages font-packages clean train-ocr train-localiser

help:            ## Show the commands
	@grep -E '^[a-z-]+: .*##|^[a-z-]+: *##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.runtime: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.runtime

$(VENV)/.train: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[train]'
	touch $@

demo: $(VENV)/.runtime  ## Install, then run the whole pipeline on the bundled recording
	@exec $(BIN)/lik up --demo

# What the tests need of Debian: a browser, Java and Maven for Apache Kafka, fonts to draw plates with, PostgreSQL.
PACKAGES := chromium openjdk-17-jre-headless maven fonts-opendin fonts-liberation fonts-dejavu-core postgresql

system-packages: ## Install the Debian packages that the tests need (as root; skipped for those present)
	@$(PYTHON) deploy/packages.py $(PACKAGES)

# Each process that tests has servers and a browser of its own, and takes tests from one that has more left.
PROCESSES ?= $(shell nproc)

test: check system-packages  ## Run the checks, then every test
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal --durations 10

check: $(VENV)/.dev  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# What letters plates beside strokes of our own.
FONTS := fonts-adf-gillius fonts-adf-ikarius fonts-adf-switzera fonts-adf-universalis fonts-b612 \
	fonts-bebas-neue fonts-cabin fonts-cantarell fonts-clear-sans fonts-comfortaa fonts-crosextra-carlito \
	fonts-dejavu-extra fonts-dosis fonts-freefont-ttf fonts-gemunu-libre fonts-karla fonts-lato fonts-liberation \
	fonts-manrope fonts-national-park fonts-open-sans fonts-opendin fonts-osifont fonts-paratype fonts-play \
	fonts-quicksand fonts-roboto-unhinted fonts-routed-gothic fonts-tuffy fonts-urw-base35 fonts-yanone-kaffeesatz

font-packages: ## Install the Debian packages of fonts that plates are lettered with for training (as root)
	@$(PYTHON) deploy/packages.py $(FONTS)

train-ocr: $(VENV)/.train ## Train the reader of plates that comes with the package (hours on a CPU)
	$(BIN)/python -m training.ocr

train-localiser: $(VENV)/.train ## Train the finder of plates that comes with the package (hours on a CPU)
	$(BIN)/python -m training.localiser

clean: ## Remove what the commands made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
