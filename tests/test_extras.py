"""What the core promises without its extras: everything but what an extra is named for, and an error that names it."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.nas.synthetic import write_experiment

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Packages of extras that their users import: what a user without extras does not have.
REFUSED = ("ray", "optuna", "matplotlib")

WITHOUT_EXTRAS = f"""
import pathlib, sys

class Without:
    # finds everything but what extras bring

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {REFUSED!r} else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]

from typer.testing import CliRunner
from nas.cli.app import app

def told(*arguments, exit_code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (arguments, result.output, result.exception)
    return result.output

PATH, OUT = map(pathlib.Path, sys.argv[1:])
assert "search" in told("--help")
assert "num_removals" in told("space", "show", "sd-1.5", "--format", "json")
table = "latency/tables/shapes_cpu_torch_eager.json"
assert "attention" in told("latency", "show", table, "--model", "search_spaces/shapes/pipeline")

from nas.config.resolving import resolve
from nas.config.loading import load_config
import latency.kits.kit, nas.cli.search, nas.export.source, nas.export.write, nas.search.driver

resolve(load_config(PATH))
assert not set({REFUSED!r}) & set(sys.modules)

refused = told("search", PATH, "--out", OUT, "--num-workers", "2", exit_code=2)
assert "pip install 'snapfusion-nas[ray]'" in refused, refused
refused = told("latency", "show", table, "--model", "search_spaces/shapes/pipeline", "--plot", OUT, exit_code=2)
assert "pip install 'snapfusion-nas[plots]'" in refused, refused
refused = told("latency", "calibrate", table, "--model", "search_spaces/shapes/pipeline", "--plot", OUT, exit_code=2)
assert "pip install 'snapfusion-nas[plots]'" in refused, refused
assert not OUT.exists()
"""


def extra(name: str, /) -> set[str]:
    """Names of the packages that an extra brings, through other extras too."""
    names = set()
    for requirement in PROJECT["optional-dependencies"][name]:
        if requirement.startswith("snapfusion-nas["):
            names |= set().union(*map(extra, requirement.partition("[")[2].partition("]")[0].split(",")))
        else:
            names.add(package(requirement))
    return names


def package(requirement: str, /) -> str:
    return requirement.partition(">=")[0].partition("[")[0]


def test_a_user_without_extras_searches_and_is_told_the_extra_that_is_missing(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path / "experiment")
    command = [sys.executable, "-c", WITHOUT_EXTRAS, str(experiment), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_refused_packages_are_no_dependencies_and_all_of_them_come_with_all() -> None:
    core = {package(requirement) for requirement in PROJECT["dependencies"]}
    assert core.isdisjoint(REFUSED)
    assert set(REFUSED) <= extra("all") <= extra("dev")


@pytest.mark.parametrize("name", sorted(PROJECT["optional-dependencies"]))
def test_extras_that_live_together_are_pinned(name: str) -> None:
    if name in ("coreml", "executorch", "litert"):  # for an environment of their own
        return
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {package.lower() for package in extra(name)} <= pinned
