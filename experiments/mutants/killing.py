"""Tests run against mutants: a process per mutant, forked from one that has imported the libraries already.

The fault is put in place of the module's source when the child imports it; no file is written. Tests that start
processes of their own therefore see the module as it is.
"""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, Final

_POLL_S: Final = 0.02
_PASSED: Final = 0  # pytest's exit code
_MEMORY_BYTES: Final = 24 * 2**30  # of addresses: a fault may ask for any amount


class Verdict(StrEnum):
    """What tests made of a mutant; that they never end is noticed as well as that they fail."""

    KILLED = "killed"
    ENDLESS = "endless"
    SURVIVED = "survived"


def import_libraries() -> None:
    """Import once what every child would import: seconds of each test run."""
    import diffusers
    import hypothesis
    import numpy
    import pydantic
    import pytest
    import scipy.stats
    import torch
    import transformers

    _ = (diffusers, hypothesis, numpy, pydantic, pytest, scipy.stats, torch, transformers)


def verdict(
    module: Path, source: str, /, *, tests: Sequence[Path], root: Path, log: Path, limit_s: float
) -> tuple[Verdict, float]:
    """What tests say of a module's source, and the seconds that they took.

    Args:
        module: File of the module that is replaced.
        source: What stands in its place.
        tests: Files, run until the first failure.
        root: Folder of the project, where pytest runs.
        log: File that is written with what the tests say.
        limit_s: Seconds after which they count as endless.
    """
    began_s = time.monotonic()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = _test(module, source, tests, root, log)
        except BaseException:  # whatever it is, this process ends here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    while time.monotonic() - began_s < limit_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            passed = os.waitstatus_to_exitcode(status) == _PASSED
            return Verdict.SURVIVED if passed else Verdict.KILLED, time.monotonic() - began_s
        time.sleep(_POLL_S)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Verdict.ENDLESS, time.monotonic() - began_s


def _test(module: Path, source: str, tests: Sequence[Path], root: Path, log: Path) -> int:
    import pytest

    os.setpgid(0, 0)
    os.chdir(root)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))
    sys.dont_write_bytecode = True
    _replace(module.resolve(), source)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    with tempfile.TemporaryDirectory(prefix="mutant-") as place:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = place  # examples that broke a mutant are none of ours
        options = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "--hypothesis-seed=0",
            f"--basetemp={place}/tests",
        ]
        if (root / "tests" / "conftest.py").exists():
            options.append("--hypothesis-profile=quick")
        return int(pytest.main([*options, *map(str, tests)]))


def _replace(module: Path, source: str) -> None:
    """Let every later import of the module's file compile the source in its place."""
    get_code: Callable[[Any, str], CodeType | None] = SourceFileLoader.get_code

    def get_mutated(self: SourceFileLoader, name: str) -> CodeType | None:
        path = self.get_filename(name)
        if Path(path).resolve() == module:
            code: CodeType = self.source_to_code(source.encode(), path)
            return code
        return get_code(self, name)

    SourceFileLoader.get_code = get_mutated  # type: ignore[assignment, method-assign]
