# make app     install and open the app            PORT=8501 HEADLESS=1 NETWORK=1 (for a class)
# make test    install and pass every check        SKIP_BROWSER=1 leaves the browser tests out
# make train   train the lab models anew
# make bench   run every benchmark
# make lock    resolve requirements.lock anew from pyproject.toml

PYTHON ?= python3
PORT ?= 8501
CHROMIUM ?= $(shell command -v chromium || command -v google-chrome)
# Its own line, because a newer torch, or a range that admits one, may bring gigabytes of CUDA packages along.
TORCH := torch==2.13.0

BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: app test lint unit browser train bench lock clean
.NOTPARALLEL:

app: $(INSTALLED)
	$(BIN)/python -m vlmlens app --port $(PORT) $(if $(filter 1,$(HEADLESS)),--headless) $(if $(filter 1,$(NETWORK)),--network)

test: lint unit browser

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

unit: $(INSTALLED)
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile --ignore=tests/browser --junitxml=test-results/unit.xml

ifeq ($(SKIP_BROWSER),1)
browser:
	@echo '*** BROWSER TESTS SKIPPED: SKIP_BROWSER=1. This is not a full test run. ***'
else
browser: $(INSTALLED)
	@test -n "$(CHROMIUM)" || { echo 'The browser tests need Chromium: install it ("apt-get install chromium" on Debian) or name one with CHROMIUM=path.'; exit 1; }
	CHROMIUM="$(CHROMIUM)" $(BIN)/pytest -n auto --maxprocesses 2 --dist loadfile tests/browser --junitxml=test-results/browser.xml
endif

train: $(INSTALLED)
	$(BIN)/python -m vlmlens train --all

bench: $(INSTALLED)
	@set -e; for script in $(sort $(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script; done

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'vlmlens needs Python 3.11 or newer; name one with "make PYTHON=python3.11 ...".'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -r requirements.lock
	$(BIN)/python -m pip install --no-deps --no-build-isolation -e .
	$(BIN)/python -c 'from vlmlens.information import decompose, gate; decompose(gate("XOR"))' # compiles the solver, once
	@touch $@

# A local version such as +cpu names one machine's build of torch; the lock names the release.
lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install '$(TORCH)' '.[test]'
	.venv-lock/bin/python -m pip freeze --all --exclude pip --exclude vlmlens | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv-lock build

clean:
	rm -rf .venv .venv-lock build dist test-results *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
