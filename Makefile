# `make lab` and `make test` are all a newcomer needs; `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
# Where to ask for the small CPU build of torch, too. Where it cannot be reached, pip goes on without it.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

BIN := $(VENV)/bin
MARK := $(VENV)/.installed
DEV_MARK := $(VENV)/.installed-dev
GRADING_MARK := $(VENV)/.installed-grading
BROWSER_MARK := $(VENV)/.installed-browser
HUB_MARK := $(VENV)/.installed-hub
SITE_MARK := $(VENV)/.installed-site
BENCH_MARK := $(VENV)/.installed-bench
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help lab test browser-test hub-test term-test execute format bench study release site clean
help:  ## say what each command does
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

lab: $(MARK)  ## install what is missing, prepare the data, open your copies of the lessons in my_course/
	"$(BIN)/python" -m fmnist_helpers.course my_course -- $(LAB_OPTIONS)

# Whole classes, graded by the real command, take longer than all the rest, and each lesson alone as long as all of them
# together; CI does both, and what is marked slow (.ci/run). Three at a time on two cores, because many a test waits; so
# each has one thread. The lessons take longest, so they begin.
test: $(DEV_MARK)  ## everything a change must pass: unit tests and every lesson, offline, on stand-in data
	"$(BIN)/python" -m ruff check .
	"$(BIN)/python" -m ruff format --check .
	OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder \
		-m "not slow" notebooks tests --ignore tests/browser --ignore tests/hub --ignore tests/term \
		--ignore tests/grading/classes --ignore tests/course/test_lessons_alone.py

browser-test: $(BROWSER_MARK)  ## run every lesson in JupyterLab and Chromium, by keyboard (some minutes)
	"$(BIN)/python" -m pytest tests/browser -rs $(BROWSER_OPTIONS)

hub-test: $(HUB_MARK)  ## take a class through a JupyterHub, in Chromium: needs Linux and root (five minutes)
	"$(BIN)/python" -m pytest tests/hub --exitfirst --verbose -rsP

term-test: $(DEV_MARK)  ## take thirty students through six assignments, every submission executed (half an hour)
	FMNIST_TERM_EXECUTES_ALL=1 OMP_NUM_THREADS=1 "$(BIN)/python" -m pytest tests/term --verbose

execute: $(DEV_MARK)  ## run every lesson in place on the real data and store what it shows
	"$(BIN)/python" -m tests.tools.execute

format: $(DEV_MARK)  ## put package, tests and notebooks into the house style
	"$(BIN)/python" -m ruff check --fix .
	"$(BIN)/python" -m ruff format .

bench: $(BENCH_MARK)  ## measure an epoch here and by other packages, the budget of lesson 07, each lesson (an hour)
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.measure.speed $(BENCH_OPTIONS)
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.measure.cnn_steps
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.measure.budget
	"$(BIN)/python" -m tests.measure.lessons
	"$(BIN)/python" -m tests.measure.lessons --limit-gb 2 || echo "(the run within 2 GB needs the right to make a cgroup)"

study: $(MARK)  ## train every recipe of lesson 07 with five seeds and store the table (an hour or two)
	OMP_NUM_THREADS=1 "$(BIN)/python" -m tests.measure.study $(STUDY_OPTIONS)

release: $(GRADING_MARK)  ## write the students' copies of the exercises into classroom/release
	"$(BIN)/python" -m fmnist_helpers.grading release --out classroom

site: $(SITE_MARK)  ## build the lessons as web pages in site/, to read without running
	"$(BIN)/python" -m tests.tools.site site

clean:  ## drop the environment; the data stays
	rm -rf "$(VENV)"

$(MARK): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("This course needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Choose another one: make PYTHON=python3.12 ...")'
	test -x "$(BIN)/python" || $(PYTHON) -m venv "$(VENV)"
	@echo "Installing PyTorch and JupyterLab, which takes some minutes the first time ..."
	"$(BIN)/python" -m pip install --quiet --retries 0 --extra-index-url "$(TORCH_INDEX)" "torch>=2.10" "torchvision>=0.25"
	"$(BIN)/python" -m pip install --quiet --editable .
	@touch "$(MARK)"

$(DEV_MARK): $(MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[dev,grading]'
	@touch "$(DEV_MARK)" "$(GRADING_MARK)"

$(GRADING_MARK): $(MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[grading]'
	@touch "$(GRADING_MARK)"

$(BROWSER_MARK): $(DEV_MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[browser]'
	@touch "$(BROWSER_MARK)"

# Where they cannot be had, the test says what is missing, and is skipped.
$(HUB_MARK): $(BROWSER_MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[hub]' \
		&& npm install --silent --global --prefix "$(VENV)" configurable-http-proxy@4 \
		&& touch "$(HUB_MARK)" || echo "(JupyterHub or its proxy cannot be installed)"

$(SITE_MARK): $(DEV_MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[site]'
	@touch "$(SITE_MARK)"

# Without a network the benchmark says which packages are missing and does without them.
$(BENCH_MARK): $(DEV_MARK)
	"$(BIN)/python" -m pip install --quiet --editable '.[bench]' && touch "$(BENCH_MARK)" || echo "(the packages to compare with cannot be installed)"
