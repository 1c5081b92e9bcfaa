"""Searches that start from what somebody found, and searches that never leave what stock diffusers can load."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from diffusers import UNet2DConditionModel
from typer.testing import CliRunner

from latency import write_table
from nas.cli.app import app
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.export.form import ExportForm
from nas.export.source import source_of_run, source_of_spec
from nas.export.write import export
from nas.pipelines.model_folder import ModelFolder
from nas.references.start import find_start
from nas.runs.spec import read_spec
from search_spaces import SpaceForm, parse_action, space_from_config
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.known.architectures import bk_sdm_base, snapfusion_table3
from search_spaces.supernet import Supernet
from tests.folders import write_pipeline
from tests.nas.searching import read_json, same_result, search
from tests.nas.spread import spread
from tests.nas.synthetic import small_config, small_space, synthetic_table, write_experiment, write_wanted

SPACE = small_space()


def test_a_search_starts_where_a_spec_says(experiment: Path, tmp_path: Path) -> None:
    spec = write_wanted(tmp_path, "-resnet[mid,1]", "+cross_attention[up.1,0]", space=SPACE)
    found = search(experiment, tmp_path / "run", overrides=[f"search.start={spec}"])
    assert found.start == read_spec(spec)[0]
    told = read_json(tmp_path / "run" / "architecture.json")
    assert told["start"] == found.start.to_dict()
    assert "start" in told["digests"]
    here = found.start
    for action in told["actions"]:
        here = parse_action(action).apply(here)
    assert here == found.architecture


def test_a_search_starts_at_a_name(experiment: Path, sd1: Path, tmp_path: Path) -> None:
    """One with copies, which have prices although the search itself makes none."""
    write_table(synthetic_table(space_from_config(read_unet_config(sd1))), tmp_path / "table.json")
    overrides = [f"model={sd1}", f"latency_table={tmp_path / 'table.json'}", "search.protected=[]"]
    resolved = resolve(load_config(experiment, overrides=[*overrides, "search.start=snapfusion-table3"]))
    assert resolved.problem.start == resolved.start.architecture == snapfusion_table3()


@pytest.mark.usefixtures("checked_here")
def test_weights_come_with_what_a_search_starts_from(run: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "export"
    source = source_of_run(run)
    export(source, out=out, measure=False)
    for reference in (run, out, out / "unet"):
        start = find_start(str(reference), model=ModelFolder(model), space_base=SPACE.base)
        supernet = Supernet(load_unet(model), space=SPACE)
        start.give_weights(supernet)
        assert start.architecture == source.architecture
        ours, theirs = (s.materialise(start.architecture).state_dict() for s in (supernet, source.supernet))
        assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == [], reference
    alone = find_start(str(run / "architecture.json"), model=ModelFolder(model), space_base=SPACE.base)
    assert alone.digest != start.digest


@pytest.mark.usefixtures("checked_here")
def test_a_search_from_an_export_is_the_same_for_any_number_of_workers(
    run: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(source_of_run(run), out=tmp_path / "export", measure=False)
    overrides = [f"search.start={tmp_path / 'export'}", "search.target_ratio=0.9", "robust_training.iterations=0"]
    search(experiment, tmp_path / "one", overrides=overrides)
    spread(monkeypatch)
    search(experiment, tmp_path / "two", overrides=overrides, num_workers=2)
    same_result(tmp_path / "one", tmp_path / "two")


@pytest.mark.usefixtures("checked_here")
def test_a_stock_folder_is_a_start(sd1: Path, tmp_path: Path) -> None:
    """A student of the base model, as somebody else would publish it: plain diffusers, no word of us."""
    model = ModelFolder(sd1)
    export(source_of_spec("bk-sdm-base", model=model), out=tmp_path / "student", measure=False)
    (tmp_path / "student" / "architecture.json").unlink()
    base = space_from_config(read_unet_config(sd1)).base
    start = find_start(str(tmp_path / "student"), model=model, space_base=base)
    assert start.architecture == bk_sdm_base()
    assert start.source == tmp_path / "student" / "unet"


@pytest.mark.usefixtures("checked_here")
def test_an_export_with_neutral_blocks_says_what_to_start_from(model: Path, tmp_path: Path) -> None:
    wanted = write_wanted(tmp_path, "-resnet[mid,1]", space=SPACE)
    source = source_of_spec(str(wanted), model=ModelFolder(model))
    export(source, out=tmp_path / "neutral", form=ExportForm.NEUTRAL, measure=False)
    with pytest.raises(ValueError, match="it may have been exported with neutral ones; start from"):
        find_start(str(tmp_path / "neutral"), model=ModelFolder(model), space_base=SPACE.base)
    export(source, out=tmp_path / "spec", form=ExportForm.SPEC)
    start = find_start(str(tmp_path / "spec"), model=ModelFolder(model), space_base=SPACE.base)
    assert (start.architecture, start.source) == (source.architecture, None)


@pytest.mark.usefixtures("checked_here")
def test_a_start_is_read_by_the_variant_that_it_has(tmp_path: Path) -> None:
    model = write_pipeline(tmp_path / "model", kind="sd1", width=16, variant="fp16", dtype=torch.float16)
    base = space_from_config(read_unet_config(model)).base
    export(source_of_spec("bk-sdm-tiny", model=ModelFolder(model, variant="fp16")), out=tmp_path / "out", measure=False)
    start = find_start(str(tmp_path / "out"), model=ModelFolder(model, variant="fp16"), space_base=base)
    assert start.variant == "fp16"
    start.give_weights(Supernet(load_unet(model, variant="fp16")))
    with pytest.raises(ValueError, match="fp16"):
        find_start(str(tmp_path / "out"), model=ModelFolder(model), space_base=base)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("ssd-1b", "ssd-1b is an architecture of sdxl"),
        ("nothing-there", r"there is no architecture /\S+/nothing-there; give a run"),
        ("+resnet[down.0,0]", "no architecture"),
    ],
)
def test_a_start_of_another_model_is_refused(start: str, message: str, experiment: Path) -> None:
    with pytest.raises(ValueError, match=message):
        resolve(load_config(experiment, overrides=[f"search.start={start}"]))


@pytest.mark.usefixtures("checked_here")
def test_a_search_in_the_stock_space_ends_with_a_stock_config(model: Path, tmp_path: Path) -> None:
    """Its removals are compound: whole stages' attention, pairs of positions, halves of the mid block."""
    config = small_config(space="stock", target_ratio=0.8, removals_per_round=3, max_copies=1, protected=[])
    config["robust_training"] |= {"iterations": 1, "recovery_iterations": 0}
    config["validation"]["num_prompts"] = 2
    path = write_experiment(tmp_path / "experiment", config)
    found = search(path, tmp_path / "run")
    assert found.target_met
    assert any("&" in str(action) for action in found.actions)
    space_from_config(read_unet_config(model), form=SpaceForm.STOCK).check(found.architecture)
    report = export(source_of_run(tmp_path / "run"), out=tmp_path / "out", measure=False)
    assert report.loads_as == "stock config"
    shown = CliRunner().invoke(app, ["space", "show", str(tmp_path / "out"), "--format", "json"])
    assert json.loads(shown.stdout)["num_params"] == SPACE.num_params(found.architecture), "a base model of its own"
    unet = UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    assert unet.num_parameters() == SPACE.num_params(found.architecture)
    assert json.loads((tmp_path / "run" / "architecture.json").read_text())["stop"] == "converged"
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["search"]["space"] == "stock"


def test_a_stock_space_refuses_a_start_outside_of_it(experiment: Path, tmp_path: Path) -> None:
    overrides = [f"search.start={write_wanted(tmp_path, '-resnet[mid,1]', space=SPACE)}", "search.space=stock"]
    with pytest.raises(ValueError, match=r"no stock diffusers config builds this architecture: mid\[1\] has a skipped"):
        resolve(load_config(experiment, overrides=overrides))
