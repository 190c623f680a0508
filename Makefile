# Two commands: `make demo` and `make test`. Both make the environment first, from hashed requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.PHONY: demo test environment requirements clean

environment: $(VENV)/.complete

$(VENV)/.complete: requirements/development.txt pyproject.toml
ifdef UV
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/development.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
endif
	touch $@

demo: environment
	@exec $(BIN)/filament demo

test: environment
	$(BIN)/python -m tests

# Written again when pyproject.toml changes; holds hashes and no address of any package index.
requirements:
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 --group dev -o requirements/development.txt pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 -o requirements/node.txt pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 --extra bench -o requirements/bench.txt pyproject.toml
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 -o bench/rivals/requirements.txt bench/rivals/requirements.in
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--no-deps --python-version 3.11 -o requirements/helm.txt requirements/helm.in
	for judge in pyhandle b2handle patroni; do \
		$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
			--python-version 3.11 -o requirements/$$judge.txt requirements/$$judge.in || exit; done

clean:
	rm -rf $(VENV) .judges .demo
