"""`nas latency import` and `nas latency validate` from end to end."""

import json

import pytest
from typer.testing import CliRunner

from latency import Method, read_table
from nas.cli.latency.app import app
from search_spaces import BlockKind
from tests.latency.manifests import manifest, on_disk, results, times
from tests.latency.strategies import CONFIG

BLOCK = next(block for block in manifest().blocks if block.signature.kind is BlockKind.RESNET)


@pytest.fixture
def folder(tmp_path):
    made = on_disk(tmp_path / "scenario")
    (tmp_path / "scenario" / "results.csv").write_bytes(results(made).data)
    return tmp_path / "scenario"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def import_(folder, *arguments, out="table.json"):
    return run(
        "import", folder, *arguments, "--out", folder.parent / out, "--device-name", "phone",
        "--runtime-version", "1.0", "--runtime-name", "engine", "--runtime-option", "threads=4",
    )  # fmt: skip


def test_the_csv_beside_the_manifest_becomes_a_table(folder):
    result = import_(folder)
    assert result.exit_code == 0, result.output
    table = read_table(folder.parent / "table.json")
    assert f"{len(table.rows)} rows from 1 reports" in result.stdout
    assert "information: calibration: calibrated on 3 sub-networks: predictions are off by 0.0%" in result.stdout
    assert dict(table.runtime.options)["threads"] == "4"


def test_reports_are_files_of_any_folder(folder, tmp_path):
    reports = []
    for index, (file, ms) in enumerate(times(manifest()).items()):
        path = tmp_path / str(index) / "benchmark_report.json"
        path.parent.mkdir()
        results_ = {"latency (ms)": str(ms), "total number of iterations": "9"}
        path.write_text(json.dumps({"cmd_options": {"-m": f"/models/{file}"}, "execution_results": results_}))
        reports.append(path)
    result = import_(folder / "manifest.json", *reports, "--format", "openvino", out="../other.json")
    assert result.exit_code == 0, result.output
    sources = read_table(tmp_path / "other.json").protocol.sources
    assert len(sources) == len(reports)
    assert sources[0].name == "0/benchmark_report.json"


def test_everything_wrong_is_said_at_once_and_nothing_is_written(folder):
    (folder / BLOCK.file).unlink()
    (folder / "results.csv").write_bytes(results(manifest(), **{BLOCK.file: "-1"}).data)
    result = import_(folder)
    assert result.exit_code == 2
    for words in (
        "no table was written",
        f"{BLOCK.file}: must lie in",
        "--without-model-files",
        "`median_ms` must be positive",
    ):
        assert words in result.stderr
    assert not (folder.parent / "table.json").exists()
    assert "Traceback" not in result.output


def test_gaps_are_filled_on_request_with_their_error(folder):
    (folder / "results.csv").write_bytes(results(manifest(), **{BLOCK.file: None}).data)
    assert "--fill interpolate" in import_(folder).stderr
    result = import_(folder, "--fill", "interpolate")
    assert result.exit_code == 0, result.output
    assert "interpolated 1 rows of resnet" in result.stdout
    assert "an error of" in result.stdout
    assert "warning: rows: 1 of" in result.stdout
    row = next(r for r in read_table(folder.parent / "table.json").rows if r.signature == BLOCK.signature)
    assert row.source is Method.INTERPOLATED


@pytest.mark.filterwarnings("ignore::latency.LatencyTableWarning")
def test_blocks_that_do_not_add_up_are_written_only_when_allowed(folder):
    (folder / "results.csv").write_bytes(
        results(manifest(), **{"whole/0.onnx": 1.5 * times(manifest())["whole/0.onnx"]}).data
    )
    refused = import_(folder)
    assert (refused.exit_code, (folder.parent / "table.json").exists()) == (2, False)
    assert "--allow-mismatch" in refused.stderr
    assert import_(folder, "--allow-mismatch").exit_code == 0


def test_a_table_in_the_wrong_unit_is_refused_before_it_is_written(folder):
    lines = [f"{file},{1e6 * ms}" for file, ms in times(manifest()).items()]
    (folder / "results.csv").write_text("\n".join(["file,median_ms", *lines]))
    refused = import_(folder)
    assert (refused.exit_code, (folder.parent / "table.json").exists()) == (2, False)
    assert "GMACs a second" in refused.stderr
    assert "microseconds taken for milliseconds" in refused.stderr
    allowed = import_(folder, "--allow-mismatch")
    assert allowed.exit_code == 0
    assert "problem: speed: " in allowed.stdout
    assert "look for a wrong unit" in " ".join(run("show", folder.parent / "table.json").stdout.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "xcode"), "`--format` must be auto or one of onnxruntime"),
        (("--runtime-option", "threads"), "must be name=value, but got 'threads'"),
        (("none.json",), "there is no report none.json"),
        (("--map", "none.csv"), "there is no report none.csv"),
    ],
)
def test_wrong_options_are_user_errors(folder, arguments, words):
    result = import_(folder, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_validate_says_good_or_lists_problems(folder, tmp_path):
    import_(folder)
    table = tmp_path / "table.json"
    model = tmp_path / "model"
    model.mkdir()
    config = CONFIG | {"_class_name": "UNet2DConditionModel", "norm_num_groups": 8}
    (model / "config.json").write_text(json.dumps(config))
    good = run("validate", table, "--model", model)
    assert good.exit_code == 0, good.output
    assert f"{table}: good" in good.stdout
    assert "information: coverage: all" in good.stdout
    more = run("validate", table, "--model", model, "--max-copies", 5, "--format", "json")
    assert more.exit_code == 1
    document = json.loads(more.stdout)
    assert document["is_good"] is False
    assert {"problem", "information", "warning"} >= {finding["level"] for finding in document["findings"]}
    assert any("x6" in finding["message"] for finding in document["findings"] if finding["about"] == "coverage")
    (tmp_path / "bad.json").write_text("[")
    assert run("validate", tmp_path / "bad.json").exit_code == 1
    assert run("validate", tmp_path / "none.json").exit_code == 2
