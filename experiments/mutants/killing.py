"""Mutants tried by tests: the tests are collected once, and each mutant is put into a process forked from there.

A fault inside a function replaces the function's code, and the tests that run its statement are run. A fault outside of
functions is put in place of the module's source when a process that has not yet imported the project imports it; the
tests that run anything of the module are run. No file is written; tests that start processes of their own that do not
fork see the module as it is.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import IO, Any, Final

import pytest

from experiments.mutants.baseline import Patience, measured
from experiments.mutants.forking import Verdict, say_into, told_by
from experiments.mutants.patching import Patch, live_functions, patches
from experiments.mutants.planting import Mutant
from experiments.mutants.running import collect, run_tests

_PATIENT: Final = Patience()

Fault = tuple[Path, Mutant]  # the module, and the mutant of it


@dataclass(frozen=True, slots=True)
class Trial:
    """What tests made of a mutant.

    Attributes:
        verdict: Whether they noticed it.
        num_tests: How many run what it changes.
        by: Id of the test that failed; empty when none did or none could be collected. Or why it is equivalent.
    """

    verdict: Verdict
    num_tests: int
    by: str = ""


def import_libraries() -> None:
    """Import once what every child would import: seconds of each test run."""
    import diffusers
    import hypothesis
    import numpy
    import pydantic
    import scipy.stats
    import torch
    import transformers

    _ = (diffusers, hypothesis, numpy, pydantic, scipy.stats, torch, transformers)


def trials(
    faults: Sequence[Fault], /, *, tests: Sequence[Path], root: Path, log: Path, patience: Patience = _PATIENT
) -> Iterator[tuple[int, Trial]]:
    """Each mutant by its number among the faults, and what tests made of it, as it is known.

    Args:
        faults: Modules, none of them imported yet, and what is planted there.
        tests: Files of tests.
        root: Folder of the project, where pytest runs.
        log: File that is written with what the tests say, its neighbours of other suffixes too.
        patience: When tests count as endless.

    Raises:
        RuntimeError: The tests cannot be collected, or do not come to their end without a fault.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        with os.fdopen(writer, "w") as told:
            _try_all(tests, lambda session: _try_collected(session, faults, patience, log, told), root=root, log=log)
    os.close(writer)
    afresh = []
    with os.fdopen(reader) as lines:
        for line in map(json.loads, lines):
            if line["verdict"]:
                yield line["index"], Trial(Verdict(line["verdict"]), len(line["tests"]), line["by"])
            else:
                afresh.append(line)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError(f"the tests {', '.join(map(str, tests))} cannot be run:\n{log.read_text()[-4000:]}")
    for line in afresh:
        module, mutant = faults[line["index"]]
        yield (
            line["index"],
            _tried(partial(_run_afresh, module, mutant.source, root), line["tests"], limit_s=line["limit_s"], log=log),
        )


def _try_all(
    tests: Sequence[Path], try_collected: Callable[[pytest.Session], bool], /, *, root: Path, log: Path
) -> None:
    """Collect tests, try every mutant, and end this process."""
    passed = False
    try:
        say_into(log)
        passed = collect(tests, try_collected, root=root)
    except BaseException:  # whatever it is, this process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0 if passed else 1)


def _try_collected(
    session: pytest.Session, faults: Sequence[Fault], patience: Patience, log: Path, told: IO[str]
) -> bool:
    """Tell what tests make of each mutant, a line of JSON each; no verdict of those that only an import runs."""
    modules = sorted({module for module, _ in faults})
    baseline = measured(session, modules, log=log.with_suffix(".baseline"))
    functions = live_functions(modules)
    for index, (module, planted) in enumerate(faults):
        found = patches(module, planted.tree, functions=functions)
        chosen = baseline.tests_of(module, None if found is None else planted.lines)
        limit_s = baseline.limit_s(chosen, patience=patience)
        line: dict[str, Any] = {"index": index, "tests": chosen, "limit_s": limit_s, "verdict": ""}
        if found is not None:
            trial = _tried(
                partial(_run_patched, session, found), chosen, limit_s=limit_s, log=log.with_suffix(".mutant")
            )
            line |= {"verdict": trial.verdict, "by": trial.by}
        print(json.dumps(line), file=told, flush=True)
    return True


def _tried(run: Callable[[Sequence[str]], str], tests: Sequence[str], *, limit_s: float, log: Path) -> Trial:
    """Run tests in a process of its own, by a function that gives the id of the first that fails."""
    if not tests:
        return Trial(Verdict.SURVIVED, 0)
    note = log.with_suffix(".by")
    note.unlink(missing_ok=True)

    def run_and_note() -> bool:
        failed = run(tests)
        note.write_text(failed)
        return not failed

    told = told_by(run_and_note, limit_s=limit_s, log=log)
    return Trial(told.verdict, len(tests), note.read_text() if note.exists() else "")


def _run_patched(session: pytest.Session, patched: Sequence[Patch], tests: Sequence[str]) -> str:
    for function, code in patched:
        function.__code__ = code
    return run_tests(session, tests)


def _run_afresh(module: Path, source: str, root: Path, tests: Sequence[str]) -> str:
    _replace(module.resolve(), source)
    failed = "none: the tests cannot be collected"

    def run(session: pytest.Session) -> bool:
        nonlocal failed
        failed = run_tests(session, tests)
        return True

    collect(sorted({root / test.partition("::")[0] for test in tests}), run, root=root)
    return failed


def _replace(module: Path, source: str) -> None:
    """Let every later import of the module's file compile the source in its place."""
    sys.dont_write_bytecode = True
    get_code: Callable[[Any, str], CodeType | None] = SourceFileLoader.get_code

    def get_mutated(self: SourceFileLoader, name: str) -> CodeType | None:
        path = self.get_filename(name)
        if Path(path).resolve() == module:
            code: CodeType = self.source_to_code(source.encode(), path)
            return code
        return get_code(self, name)

    SourceFileLoader.get_code = get_mutated  # type: ignore[assignment, method-assign]
