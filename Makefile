# The two commands a newcomer needs are `make lab` and `make test`; `make help` lists the others.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where to ask for the small CPU build of torch; pip carries on without it where it cannot be reached.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

export PIP_DISABLE_PIP_VERSION_CHECK = 1

$(INSTALLED): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("this course needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --retries 0 --extra-index-url $(TORCH_INDEX) "torch>=2.4" "torchvision>=0.19"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@
