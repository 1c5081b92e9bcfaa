"""Real distributions with entry points, installed into a folder of their own and used by name in other processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.latency.conftest import ONE_STAGE
from tests.latency.strategies import CONFIG, TOKENS
from tests.warm import nas, python

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "plugins"
SETTINGS = {"model": "small", "device": "phone", "ms_per_mparam": 2.0}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with both distributions, as pip installs them."""
    target = tmp_path_factory.mktemp("site")
    command = (
        "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
        "--no-build-isolation", "--target", target, *(PLUGINS / name for name in ("latency_plugin", "broken_plugin")),
    )  # fmt: skip
    subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True, text=True)
    return target


def afresh(code, *, site):
    """Run code in a fresh interpreter that sees the plugins; its result."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_a_source_of_a_plugin_is_made_by_name(installed):
    code = f"""
from pathlib import Path
from latency.sources import make_source
from search_spaces import space_from_config
source = make_source("by-parameters", settings={SETTINGS}, folder=Path())
space = space_from_config({CONFIG})
prices = source.prices(space, context_tokens={TOKENS})
assert prices(space.base) == 2 * space.num_params(space.base) / 1e6
for settings in ({{"ms_per_mparam": "2", "colour": 1}}, {{"model": "m", "device": "d", "ms_per_mparam": -1.0}}):
    try:
        make_source("by-parameters", settings=settings, folder=Path())
    except ValueError as error:
        print(error)
"""
    done = afresh(code, site=installed)
    assert done.returncode == 0, done.stderr
    all_at_once, law = done.stdout.splitlines()
    for problem in ("colour: is no key", "device: must be there", "model: must be there", "ms_per_mparam: must be a"):
        assert problem in all_at_once
    assert law.endswith("`ms_per_mparam` must be above 0, but got -1.0")


def test_broken_plugins_are_named_and_the_rest_is_listed(installed):
    code = """
import json, sys
from latency.backends.registry import backend_door
from latency.importers import importer_door
from latency.sources import source_door
doors = (source_door(), backend_door(), importer_door())
print(json.dumps([[(one.name, one.origin, one.about, one.problem) for one in door.listed()] for door in doors]))
print(json.dumps([list(door.working()) for door in doors]))
"""
    done = python(code, path=[installed])
    assert done.returncode == 0, done.stderr
    listed, working = (json.loads(line) for line in done.stdout.splitlines())
    assert working[0] == ["table", "weighted", "worst_of", "formula", "live", "by-parameters"]
    assert working[1][-1] == "copying"
    assert working[2][-1] == "stopwatch"
    sources, backends, importers = ({(name, origin): rest for name, origin, *rest in door} for door in listed)
    assert sources["by-parameters", "latency-plugin 0.3"] == ["milliseconds per parameter", ""]
    of_broken = "broken-plugin 0.0.1"
    for problem, words in (
        (sources["raises", of_broken][1], "raises ZeroDivisionError: no device in sight"),
        (sources["number", of_broken][1], "must be a `latency.sources.SourceKind`, but it is a int"),
        (sources["formula", of_broken][1], "no plugin may take a name of ours"),
        (backends["nowhere", of_broken][1], "raises ModuleNotFoundError: No module named 'broken_plugin.nowhere'"),
        (importers["number", of_broken][1], "must be a `latency.importers.Importer`, but it is a int"),
    ):
        assert words in problem
        assert of_broken in problem
        assert problem in done.stderr.replace("\n", " ") or problem in done.stderr


def test_a_broken_plugin_that_is_asked_for_is_an_error_and_ours_keep_their_names(installed):
    code = """
from pathlib import Path
from latency.sources import make_source
for name in ("raises", "nothing"):
    try:
        make_source(name, settings={}, folder=Path())
    except ValueError as error:
        print(error)
settings = {"model": "m", "device": "d", "relative_error": 0.1, "ms_per_gmac": 1.0}
print(type(make_source("formula", settings=settings, folder=Path())).__name__)
"""
    done = python(code, path=[installed])
    assert done.returncode == 0, done.stderr
    raises, nothing, ours = done.stdout.splitlines()
    assert "'raises' (entry point broken_plugin.raises:KIND of broken-plugin 0.0.1) must be importable" in raises
    there = "table, weighted, worst_of, formula, live, or of the plugins' by-parameters, number, raises"
    assert f"one of {there}, but got 'nothing'" in nothing
    assert ours == "FormulaSource"
    assert "no plugin may take a name of ours, but broken-plugin 0.0.1 has" in done.stderr


def test_a_table_is_measured_with_a_backend_of_a_plugin(installed, tmp_path):
    (tmp_path / "unet").mkdir()
    config, folder = ONE_STAGE, str(tmp_path / "unet")
    code = f"""
import torch
from pathlib import Path
from diffusers import UNet2DConditionModel
torch.manual_seed(0)
UNet2DConditionModel(**{config}).save_pretrained({folder!r})
from nas.cli import main
main()
"""
    out = tmp_path / "table.json"
    done = python(
        code, "latency", "measure", tmp_path / "unet", "--backend", "copying", "--out", out, "--min-rounds", 2,
        "--max-rounds", 2, "--max-copies", 0, "--subnetworks", 0, "--context-tokens", TOKENS, "--allow-mismatch",
        path=[installed],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(out.read_text())["runtime"]["name"] == "copying"
    unknown = nas("latency", "measure", tmp_path / "unet", "--backend", "abacus", "--out", out, path=[installed])
    assert unknown.returncode == 2
    assert "of the plugins' copying, nowhere, but got 'abacus'" in unknown.stderr.replace("\n", " ")


def test_reports_of_a_plugins_format_are_detected_and_named(installed, tmp_path):
    report = tmp_path / "runs.txt"
    report.write_text("stopwatch\na.onnx: 12.5 ms\na.onnx: 13.5 ms\n")
    code = """
import sys
from pathlib import Path
from latency.importers import read_files, read_report, importer_door
for importer in (None, importer_door().find("stopwatch")):
    chosen, (reading,) = read_report(*read_files([Path(sys.argv[1])]), importer=importer)
    print(chosen.name, reading.key, reading.median_ms, reading.num_samples)
"""
    done = python(code, report, path=[installed])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["stopwatch a.onnx 13.0 2"] * 2
    assert "must be a `latency.importers.Importer`" in done.stderr, "the broken one is named, once"
    assert done.stderr.count("broken-plugin 0.0.1") == 1


def test_a_plugins_author_runs_the_kits_without_our_tests(installed, tmp_path):
    (tmp_path / "test_laws.py").write_text(f"""
import pytest
from latency.importers import Report
from latency.testing import BackendLaws, ImporterLaws, LatencySourceLaws
from latency_plugin import by_parameters, copying, stopwatch
from search_spaces import space_from_config

class TestSource(LatencySourceLaws):
    @pytest.fixture
    def source(self):
        return by_parameters.ByParameters(**{SETTINGS})

    @pytest.fixture
    def space(self):
        return space_from_config({CONFIG})

class TestBackend(BackendLaws):
    @pytest.fixture
    def backend(self):
        return copying.Copying()

class TestImporter(ImporterLaws):
    @pytest.fixture
    def importer(self):
        return stopwatch.IMPORTER

    @pytest.fixture
    def report(self):
        return Report(name="a.txt", data=b"stopwatch\\na.onnx: 12.5 ms\\na.onnx: 13.5 ms\\n")
""")
    code = "import os, sys, pytest; os.chdir(sys.argv[1]); sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"
    done = python(code, tmp_path, path=[installed])
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
