"""Tests by their ids, run by pytest as far as the first that fails."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments.in_memory import IN_MEMORY


def collect(tests: Sequence[Path], then: Callable[[pytest.Session], bool], /, *, root: Path) -> bool:
    """Collect the tests of some files, and do something with them; False when that says so, or collecting fails."""
    with tempfile.TemporaryDirectory(prefix="mutant-", dir=IN_MEMORY) as place:
        os.chdir(root)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = place  # examples that broke a mutant are none of ours
        options = ["-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        options += ["--hypothesis-seed=0", f"--basetemp={place}/tests"]
        if (root / "tests" / "conftest.py").exists():
            options.append("--hypothesis-profile=quick")
        loop = _Loop(then)
        pytest.main([*options, *map(str, tests)], plugins=[loop])
        return loop.passed


def run_tests(session: pytest.Session, tests: Sequence[str], /) -> str:
    """The id of the first of some collected tests that fails; empty when none does."""
    items = {item.nodeid: item for item in session.items}
    chosen = [items[test] for test in tests]
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        if not run_item(session, item, following):
            return item.nodeid
    return ""


def run_item(session: pytest.Session, item: pytest.Item, following: pytest.Item | None, /) -> bool:
    """Whether a test passes."""
    failed = session.testsfailed
    session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return session.testsfailed == failed


class _Loop:
    """Takes the place of pytest's own loop over what it collected."""

    def __init__(self, then: Callable[[pytest.Session], bool]) -> None:
        self._then = then
        self.passed = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Any:
        if not session.testsfailed and session.items:
            self.passed = self._then(session)
        return True
