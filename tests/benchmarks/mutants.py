"""Which small faults in the loops, the splits and the averages no test would notice: mutation testing.

``python -m tests.benchmarks.mutants`` applies the operators of cosmic-ray wherever they fit, one at a time,
to a temporary copy, runs the test file of that module and prints what survives. Names of modules as
arguments limit the run. Each mutant is tested in a fork of a process that has imported torch already (Linux,
macOS). Whether a survivor is equivalent is for a person to judge: ``mutants.md`` holds the last judgement.
"""

import ast
import difflib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
import nbval.plugin  # noqa: F401  Imported for the forks, as the package is.
import pytest

import fmnist_helpers

try:
    from cosmic_ray import mutating, plugins
    from cosmic_ray.ast import ast_nodes, get_ast
except ImportError:
    sys.exit("cosmic-ray makes the mutants: pip install cosmic-ray")

COURSE_FOLDER = Path(__file__).resolve().parent.parent.parent
SECONDS, AT_ONCE = 60, 2  # Of processor time, so that a busy machine ends no test too early.
ENDS = {0: "survived", -signal.SIGXCPU: "timed out", -signal.SIGKILL: "timed out"}


def effect(code: str) -> str:
    """Return what a module does: its syntax tree without the annotations, which nothing reads."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        for field in {"annotation", "returns"} & set(node._fields):
            setattr(node, field, None)
    return ast.dump(tree)


def mutants(code: str):
    """Yield operator and code of every mutant that is Python and differs in more than annotations."""
    for name in plugins.operator_names():
        if not plugins.get_operator(name).arguments():
            operator = plugins.get_operator(name)()
            places = [
                place for node in ast_nodes(get_ast(code)) for place in operator.mutation_positions(node)
            ]
            for number in range(len(places)):
                mutated = mutating.mutate_code(code, operator, number)
                if effect(mutated) not in ("", effect(code)):
                    yield name.removeprefix("core/"), mutated


def run_tests(module: str, folder: str) -> None:
    """Run the tests of one module in a copy of the course and end the process with pytest's exit status."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    for name in [name for name in sys.modules if name.split(".")[0] in ("fmnist_helpers", "tests")]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    os.chdir(folder)
    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", f"tests/test_{module}.py"])
    assert sys.modules["fmnist_helpers"].__file__ != fmnist_helpers.__file__
    os._exit(int(status))


def outcome(module: str, code: str) -> str:
    """Test one mutant in a copy of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("fmnist_helpers", "tests"):
            shutil.copytree(COURSE_FOLDER / name, f"{folder}/{name}")
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(COURSE_FOLDER / name, folder)
        shutil.rmtree(f"{folder}/fmnist_helpers/__pycache__", ignore_errors=True)
        Path(folder, "fmnist_helpers", f"{module}.py").write_text(code)
        process = multiprocessing.get_context("fork").Process(target=run_tests, args=(module, folder))
        process.start()
        process.join()
    return ENDS.get(process.exitcode, "killed")


def main() -> None:
    """Print the survivors of each module."""
    for module in sys.argv[1:] or ("loops", "history", "batch_checks", "loaders"):
        code = (COURSE_FOLDER / "fmnist_helpers" / f"{module}.py").read_text()
        if outcome(module, code) != "survived":
            sys.exit(f"{module}: the tests fail without any mutation")
        cases = list(mutants(code))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(outcome, [module] * len(cases), [mutated for _, mutated in cases]))
        print(f"{module}: {len(cases)} mutants, {dict(Counter(outcomes))}", flush=True)
        for (operator, mutated), found in zip(cases, outcomes, strict=True):
            if found != "killed":
                changes = difflib.unified_diff(code.splitlines(), mutated.splitlines(), lineterm="", n=0)
                print(f"  {found}, {operator}", *(f"      {line}" for line in list(changes)[2:]), sep="\n")


if __name__ == "__main__":
    main()
