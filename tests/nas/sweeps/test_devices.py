"""A search per device over one store of scores: each as if alone, the matrix, the best for all, one weights file."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from latency.documents.store import read_table, write_table
from latency.sources.registry import make_source
from nas.cli.app import app
from nas.cli.screen.console import Screen
from nas.cli.sweeps.devices import show_devices
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.config.sections import ExperimentConfig
from nas.export.named import export_named
from nas.export.source import ExportError
from nas.runs.records.lines import Timing
from nas.runs.records.reading import read_records
from nas.runs.run import open_run
from nas.sweeps.devices import BEST_FOR_ALL, device_runs, device_searches, search_devices
from nas.sweeps.matrix import OnDevice, best_for_all_of, open_devices
from search_spaces.files.durable.places import PlaceError
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import load_unet
from search_spaces.folders.named import read_named
from tests.nas.mirror import mirrored
from tests.nas.searching import comparable_trace, search

NO_TRAINING = ("robust_training.iterations=0", "robust_training.recovery_iterations=0")
OTHER = "other"  # a device on which ResNets cost eight times as much


@pytest.fixture(scope="module")
def tables(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    table = read_table(experiment.parent / "table.json")
    scaled = []
    for row in table.rows:
        factor = 8.0 if row.signature.kind == "resnet" else 1.0
        names = ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms")
        scaled.append(replace(row, **{name: factor * getattr(row, name) for name in names}))
    path = tmp_path_factory.mktemp("tables") / f"{OTHER}.json"
    write_table(replace(table, rows=tuple(scaled)), path)
    return {"table": experiment.parent / "table.json", OTHER: path}


@pytest.fixture(scope="module")
def config(experiment: Path, tables: Mapping[str, Path]) -> ExperimentConfig:
    return load_config(experiment, overrides=[*NO_TRAINING, f"search.devices=[{tables[OTHER]}]"])


@pytest.fixture(scope="module")
def folder(config: ExperimentConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return search_devices(config, out=tmp_path_factory.mktemp("devices") / "both")


def test_each_search_is_as_it_would_be_alone_and_draws_what_no_other_drew(
    folder: Path, experiment: Path, tables: Mapping[str, Path], tmp_path: Path
) -> None:
    assert list(device_runs(folder)) == ["table", OTHER, BEST_FOR_ALL]
    search(experiment, tmp_path / "alone", overrides=[*NO_TRAINING, f"latency_table={tables[OTHER]}"])
    assert comparable_trace(folder / OTHER) == comparable_trace(tmp_path / "alone")
    drawn, alone = (
        sum(row["num_pictures"] for row in read_records(run, Timing).rows)
        for run in (folder / OTHER, tmp_path / "alone")
    )
    assert drawn < alone, "the first round was drawn for the first device already"
    found = [json.loads((folder / name / "architecture.json").read_bytes())["arch_id"] for name in ("table", OTHER)]
    assert found[0] != found[1], "the devices are as unlike as this test needs"


def test_the_matrix_is_every_architecture_priced_on_every_device(folder: Path) -> None:
    matrix = open_devices(folder)
    assert matrix.devices == ("table", OTHER)
    assert len(matrix.cells) == 6
    frame = matrix.frame()
    assert list(frame.index) == ["table", OTHER, BEST_FOR_ALL]
    scores = {name: open_run(path).spec["clip"] for name, path in device_runs(folder).items()}
    for cell in matrix.cells:
        experiment = resolve(load_config(folder / cell.device / "config.yaml"))
        architecture = matrix.architectures[cell.found_for]
        assert cell.latency_ms == frame.loc[cell.found_for, cell.device] == experiment.price_ms(architecture)
        assert cell.target_share == cell.latency_ms / experiment.problem.target_latency_ms
        assert cell.meets == experiment.problem.meets(architecture)
        assert cell.loss == scores[cell.device] - scores[cell.found_for]
        if cell.device == cell.found_for:
            assert (cell.meets, cell.loss) == (True, 0.0)
    assert all(cell.meets for cell in matrix.cells if cell.found_for == BEST_FOR_ALL), "by the slowest, so on all"
    assert matrix.minimax.worst_share <= 1
    assert set(matrix.minimax.latency_ms) == {"table", OTHER}
    shares = [ms / matrix.targets_ms[device] for device, ms in matrix.minimax.latency_ms.items()]
    assert matrix.minimax.worst_share == max(shares) > min(shares)
    assert json.loads(json.dumps(matrix.to_dict()))["minimax"]["arch_id"] == matrix.minimax.architecture.arch_id


def test_by_a_score_of_which_less_is_better_the_same_is_lost(folder: Path, tmp_path: Path) -> None:
    for name, path in device_runs(folder).items():
        mirrored(path, tmp_path / name)
    (tmp_path / "devices.json").write_bytes((folder / "devices.json").read_bytes())
    matrix, mirror = open_devices(folder), open_devices(tmp_path)
    assert [cell.loss for cell in mirror.cells] == [cell.loss for cell in matrix.cells]
    assert any(cell.loss for cell in matrix.cells)
    assert mirror.minimax == replace(matrix.minimax, score=-matrix.minimax.score)


@pytest.mark.parametrize(("share", "meets"), [(1.0, True), (1.0 + 1e-9, False)])
def test_a_target_that_is_just_met_is_met(share: float, meets: bool) -> None:
    cell = OnDevice(found_for="a", device="b", latency_ms=5.0, target_share=share, score=0.5, loss=0.0)
    assert cell.meets is meets


@pytest.mark.parametrize(
    ("shares", "higher", "best"),
    [
        ((0.9, 1.0, 1.1, 0.8), True, 1),  # of those that meet all targets, not the quickest, and not the best of all
        ((0.9, 1.0, 1.1, 0.8), False, 3),
        ((1.2, 1.3, 1.1, 1.4), True, 2),  # nothing meets them
        ((1.2, 1.3, 1.1, 1.4), False, 2),
    ],
)
def test_the_best_for_all_meets_every_target_with_the_best_score_or_misses_least(
    shares: tuple[float, ...], higher: bool, best: int, folder: Path
) -> None:
    found = open_devices(folder).minimax
    scores = (0.5, 0.7, 0.8, 0.4)
    candidates = [replace(found, score=score, worst_share=share) for score, share in zip(scores, shares, strict=True)]
    assert best_for_all_of(candidates, higher_is_better=higher) is candidates[best]


@pytest.mark.parametrize(("loss", "said"), [(4e-5, "the same"), (-6e-5, "0.0001 better"), (0.02, "0.0200 worse")])
def test_a_difference_that_four_digits_do_not_show_is_none(
    folder: Path, loss: float, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix = open_devices(folder)
    show_devices(Screen(), replace(matrix, cells=tuple(replace(cell, loss=loss) for cell in matrix.cells)))
    assert f"on {OTHER}, the architecture of table scores {said}" in " ".join(capsys.readouterr().out.split())


def test_the_worst_of_several_tables_is_the_largest_share_of_its_base(folder: Path, tables: Mapping[str, Path]) -> None:
    own = {name: resolve(load_config(folder / name / "config.yaml")) for name in ("table", OTHER)}
    space, base = own["table"].space, own["table"].space.base
    settings = {"tables": [str(path) for path in tables.values()]}
    source = make_source("worst_of", settings=settings, folder=Path())
    prices = source.prices(space, context_tokens=own["table"].context_tokens)
    several = [base, *(action.apply(base) for action in space.removals(base))]
    for architecture, many in zip(several, prices.milliseconds(several), strict=True):
        shares = [each.price_ms(architecture) / each.price_ms(base) for each in own.values()]
        assert prices(architecture) == own["table"].price_ms(base) * max(shares)
        assert many == pytest.approx(prices(architecture))
        assert prices.latency(architecture).ms == prices(architecture)
    with pytest.raises(ValueError, match="two different tables or more"):
        make_source("worst_of", settings={"tables": ["a", "a"]}, folder=Path())


def test_one_weights_file_holds_all_architectures_by_name(folder: Path, tmp_path: Path) -> None:
    runs = device_runs(folder)
    assert export_named(runs, out=tmp_path / "named") == tuple(runs)
    assert len(list((tmp_path / "named" / "unet").glob("*.safetensors"))) == 1
    matrix = open_devices(folder)
    assert read_named(tmp_path / "named" / "unet") == dict(matrix.architectures)
    whole = load_unet(tmp_path / "named").state_dict()
    for name, architecture in matrix.architectures.items():
        space = resolve(load_config(folder / name / "config.yaml")).space
        unet = load_unet(tmp_path / "named", name=name)
        assert sum(parameter.numel() for parameter in unet.parameters()) == space.num_params(architecture)
        assert sum(tensor.numel() for tensor in unet.state_dict().values()) < sum(t.numel() for t in whole.values())
    with pytest.raises(UserError, match=f"no architecture 'phone'; choose among table, {OTHER}, {BEST_FOR_ALL}"):
        load_unet(tmp_path / "named", name="phone")
    with pytest.raises(ExportError, match="holds other architectures"):
        export_named({"a": runs["table"], "b": runs[OTHER]}, out=tmp_path / "named")


def test_searches_that_trained_do_not_fit_one_file(run: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"the search trained trained its own: .* tensors differ"):
        export_named({"table": folder / "table", "trained": run}, out=tmp_path / "named")
    assert not (tmp_path / "named").exists()


def test_a_folder_goes_on_only_with_its_own_devices(folder: Path, config: ExperimentConfig, tmp_path: Path) -> None:
    copied = tmp_path / "renamed.json"
    copied.write_bytes(Path(config.search.devices[0]).read_bytes())
    renamed = replace(config, search=replace(config.search, devices=(str(copied),)))
    with pytest.raises(UserError, match=f"holds the searches of other devices: table, {OTHER}, {BEST_FOR_ALL}; give"):
        search_devices(renamed, out=folder)


def test_a_folder_of_other_things_is_left_alone(config: ExperimentConfig, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with pytest.raises(PlaceError, match=r"must be empty or the folder of searches for several devices, .*thesis"):
        search_devices(config, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_command_says_the_matrix(folder: Path) -> None:
    result = CliRunner().invoke(app, ["devices", str(folder), "--format", "json"])
    assert json.loads(result.stdout) == json.loads(json.dumps(open_devices(folder).to_dict()))
    assert CliRunner().invoke(app, ["devices", str(folder.parent)]).exit_code == 2


def test_damaged_traces_are_said_and_no_trace_at_all_is_refused(folder: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(folder, tmp_path / "damaged")
    traces = [path / "trace.jsonl" for path in device_runs(damaged).values()]
    whole = traces[0].read_text(encoding="utf-8")
    traces[0].write_text(whole.replace('"event": "evaluation"', '"what": "evaluation"', 1), encoding="utf-8")
    said = CliRunner().invoke(app, ["devices", str(damaged)]).output
    assert "note: table: line 3 of trace.jsonl is no event" in " ".join(said.split())
    assert not open_devices(folder).notices
    for trace in traces:
        trace.unlink()
    with pytest.raises(UserError, match=r"no trace says so \(table: there is no trace\.jsonl yet"):
        open_devices(damaged)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"devices": ()}, "`search.devices` must name the latency tables"),
        ({"target_ratio": None, "target_latency_ms": 3.0}, "is a share of each device's own base model, but got 3.0"),
        ({"target_ratio": None, "targets": (0.9, 12.0)}, r"is a share of each .* but got \[12.0\] ms"),
        ({"devices": ("/elsewhere/table.json",)}, "each device needs a name of its own, .* but got table more"),
        (
            {"devices": ("/elsewhere/scores.json",)},
            r"but got scores more than once; best_for_all, scores, devices\.json",
        ),
        ({"devices": ("/elsewhere/devices.json.json",)}, r"but got devices\.json more"),
    ],
)
def test_devices_that_cannot_be_searched_together(config: ExperimentConfig, change: dict[str, Any], law: str) -> None:
    with pytest.raises(UserError, match=law):
        device_searches(replace(config, search=replace(config.search, **change)), scores=Path("scores"))


def test_the_searches_share_the_store_that_the_config_names_or_else_their_folders(config: ExperimentConfig) -> None:
    for named, shared in ((None, Path("theirs")), (Path("mine"), Path("mine"))):
        searches = device_searches(replace(config, score_store=named), scores=Path("theirs"))
        assert {each.config.score_store for each in searches} == {shared}


def test_a_config_with_devices_is_no_single_search(config: ExperimentConfig) -> None:
    with pytest.raises(UserError, match=r"set search\.devices=\[\]"):
        resolve(config)


@pytest.mark.parametrize(
    "searches", [[], ["best_for_all"], ["", "best_for_all"], ["..", "best_for_all"], ["a", "a"], 3]
)
def test_an_index_that_names_no_searches_is_refused(searches: Any, tmp_path: Path) -> None:
    (tmp_path / "devices.json").write_text(json.dumps({"searches": searches}))
    with pytest.raises(UserError, match=r"`searches` in .*devices\.json must"):
        device_runs(tmp_path)
    with pytest.raises(
        UserError, match=r"holds no searches for several devices \(there is no .*/devices\.json\); `nas"
    ):
        device_runs(tmp_path / "devices.json")
