"""What tests do without a fault: how long each takes, and which lines it runs."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage

from experiments.mutants.forking import told_by
from experiments.mutants.running import run_item

_LIMIT_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Attributes: how many times as long as without a fault tests may take, and how many seconds more."""

    times: float = 3.0
    spare_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Baseline:
    """Attributes: seconds of each test that passes, by its id; ids of those that run a line, by file and line."""

    seconds: Mapping[str, float]
    reached: Mapping[str, Mapping[int, Sequence[str]]]

    def tests_of(self, module: Path, lines: range | None, /) -> list[str]:
        """The ids of those that run some of a module's lines, or any of them; files that take the least first."""
        by_line = self.reached.get(str(module), {})
        found = {test for line, tests in by_line.items() if lines is None or line in lines for test in tests}
        if lines is None and not found:
            found = {*self.seconds}  # a module without functions: any test may read its constants
        found &= self.seconds.keys()
        of_files: dict[str, float] = defaultdict(float)
        for test in found:
            of_files[_file(test)] += self.seconds[test]
        return sorted(found, key=lambda test: (of_files[_file(test)], _file(test), self.seconds[test]))

    def limit_s(self, tests: Sequence[str], /, *, patience: Patience) -> float:
        """Seconds after which some tests count as endless."""
        return patience.times * sum(self.seconds[test] for test in tests) + patience.spare_s


def measured(session: pytest.Session, modules: Sequence[Path], /, *, log: Path) -> Baseline:
    """Run all that is collected once, in a process of its own; a test that fails there is left out.

    Raises:
        RuntimeError: It did not come to its end.
    """
    found = log.with_suffix(".json")
    found.unlink(missing_ok=True)
    told_by(lambda: _measure(session, modules, found), limit_s=_LIMIT_S, log=log)
    if not found.exists():
        raise RuntimeError(f"the tests did not come to their end without a fault:\n{log.read_text()[-4000:]}")
    read = json.loads(found.read_text())
    reached = {file: {int(line): tests for line, tests in lines.items()} for file, lines in read["reached"].items()}
    return Baseline(read["seconds"], reached)


def _measure(session: pytest.Session, modules: Sequence[Path], found: Path) -> bool:
    coverage = Coverage(data_file=None, include=[*map(str, modules)], config_file=False)
    coverage.set_option("run:disable_warnings", ["no-data-collected", "module-not-imported"])
    coverage.start()
    seconds = {}
    for item, following in zip(session.items, [*session.items[1:], None], strict=True):
        coverage.switch_context(item.nodeid)
        began_s = time.monotonic()
        if run_item(session, item, following):
            seconds[item.nodeid] = time.monotonic() - began_s
    coverage.stop()
    data = coverage.get_data()
    reached = {file: data.contexts_by_lineno(file) for file in data.measured_files()}
    partial = found.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps({"seconds": seconds, "reached": reached}))
    partial.replace(found)
    return True


def _file(test: str) -> str:
    return test.partition("::")[0]
