# make demo: everything from kernels to figures, under out/
# make test: all tests; make quick: those of a minute or two, without NEST and compiler
# make lint: ruff and mypy; make lowest: quick tests with old packages
# make docs: the documentation site, under out/docs/html
# make site: the same beside earlier versions under out/site, for the address in pyproject.toml
# make dist, make wheel: packages, under dist/: pure ones, and one that needs no compiler
PYTHON ?= python3
BIN := .venv/bin
QUICK := not compile and not mpi and not bare and not docs and not slow
PYTHONS := 3.10 3.11 3.12 3.13 3.14

.PHONY: demo docs site test quick coverage lowest lint format inference nest-mpi benchmarks dist wheel clean

demo: .venv/demo
	$(BIN)/python examples/two_population/run.py

# Notebooks are run when their text, or the package's, is not that of a build before. Pages are all
# read again (-E): codeautolink 0.20 forgets what it found in Markdown.
docs: .venv/ready
	rm -rf out/docs/html
	$(BIN)/python -m sphinx -q -W --keep-going -n -E -d out/docs/doctrees docs out/docs/html
	@echo "out/docs/html/index.html"

site: docs
	$(BIN)/python docs/_ext/versions.py out/docs/html out/site

# Processes of tests share the cores: threads of linear algebra would wait for one another.
test quick coverage lowest: export OPENBLAS_NUM_THREADS = 1

# The longest files first, in the order of tests/order.py, and not those of the most tests.
test: .venv/ready nest-mpi
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 30

quick: .venv/ready
	$(BIN)/python -m pytest -n auto -m "$(QUICK)"

# Which lines and branches of the package the quick tests reach: 79 %; fails below the floor.
coverage: .venv/ready
	$(BIN)/python -m pytest -n auto -m "$(QUICK)" --cov --cov-report=term:skip-covered --cov-fail-under=76

# With the lowest versions that pyproject.toml allows, in an environment in the user's cache folder.
lowest: .venv/ready
	python=$$($(BIN)/python tests/lowest.py) && \
	    PYTHONPATH=$(CURDIR)/python $$python -m pytest -n auto -m "$(QUICK)"

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

dist: .venv/ready
	rm -rf dist/*.tar.gz dist/*-none-any.whl
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*.tar.gz dist/*-none-any.whl

# With modules and mechanisms for this NEST and NEURON, and their wheels for other Pythons, as far as
# there are any.
wheel: .venv/ready
	rm -rf build/prebuilt build/wheels dist/*linux*.whl dist/*macosx*.whl
	for package in nest-simulator neuron; do \
	    version=$$($(BIN)/python -c "from importlib.metadata import version; print(version('$$package'))"); \
	    for python in $(PYTHONS); do \
	        $(BIN)/pip download --quiet --no-deps --only-binary :all: --python-version $$python \
	            --dest build/wheels $$package==$$version || echo "no wheel of $$package for Python $$python"; \
	    done; \
	done
	env -u CXXFLAGS $(BIN)/python -m nestlfp.build.prebuild build/prebuilt \
	    --nest-wheels build/wheels/nest_simulator-*.whl --neuron-wheels build/wheels/neuron-*.whl
	NESTLFP_PREBUILT=build/prebuilt $(BIN)/python -m build --wheel --no-isolation
	$(BIN)/twine check --strict dist/*linux*.whl

# What a user installs; all else needs what tests and pages need, too.
.venv/demo: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[nest,all]'
	touch $@

.venv/ready: .venv/demo
	$(BIN)/pip install --quiet --editable '.[nest,all,test,docs,pynn,bmtk,microcircuit]'
	touch $@

clean:
	rm -rf .venv build dist out docs/api
