# make demo: everything from kernels to figures, under out/
# make test: all tests; make lint: ruff and mypy
# make docs: the documentation site, under out/docs/html
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs test lint format inference nest-mpi benchmarks clean

demo: .venv/ready
	$(BIN)/python examples/two_population/run.py

# Notebooks are run when their text, or the package's, is not that of a build before.
docs: .venv/ready
	rm -rf out/docs/html
	$(BIN)/python -m sphinx -q -W --keep-going -n -d out/docs/doctrees docs out/docs/html
	@echo "out/docs/html/index.html"

test: .venv/ready nest-mpi
	$(BIN)/python -m pytest -n auto --dist loadfile

# Folders of scripts are checked one by one: each may have a module named run. Those of parameter
# estimation and of the closed loop import their neighbours' modules.
lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	for scripts in benchmarks examples/*/; do \
	    case $$scripts in \
	    *parameter_estimation/) export MYPYPATH=examples/brunel;; \
	    *closed_loop/) export MYPYPATH=examples/two_population;; \
	    *) unset MYPYPATH;; esac; \
	    $(BIN)/mypy $$scripts || exit 1; done

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# For examples/parameter_estimation: a gigabyte, and more with a newer PyTorch, which brings CUDA.
inference: .venv/ready
	$(BIN)/pip install --quiet 'torch<2.14' --editable '.[inference]'

# NEST with MPI, from its source distribution, into the user's cache folder.
nest-mpi: .venv/ready
	tests/mpi/build_nest.sh $(BIN)/python

benchmarks: .venv/ready
	for benchmark in benchmarks/[a-z]*.py; do $(BIN)/python $$benchmark || exit 1; done

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[nest,all,test,docs]'
	touch $@

clean:
	rm -rf .venv build dist out docs/api
