"""`nas space`: what may be chosen, what it costs, and how two architectures differ."""

import json
from pathlib import Path

import pytest

from latency import read_table
from nas.runs.spec import read_spec
from search_spaces import Action
from search_spaces.known.architectures import SD15_CONFIG
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.cli.invoking import invoke, refused
from tests.nas.searching import read_json
from tests.nas.synthetic import shapes_space, small_space

BUNDLED, SPACE = shapes_space(), small_space()


def test_space_show_gives_the_documented_keys() -> None:
    result = invoke("space", "show", "sd-1.5", "--format", "json")
    assert result.exit_code == 0
    space = json.loads(result.stdout)
    assert space["num_cross_attentions"] == 16
    assert space["num_resnets"] == 22
    assert space["num_removals"] == 38
    assert space["num_params"] == 859_520_964
    assert round(space["num_macs"] / 1e9, 1) == 401.6
    assert [stage["place"] for stage in space["stages"]][:2] == ["down.0", "down.1"]
    assert sum(len(stage["positions"]) for stage in space["stages"]) == 22


def test_space_show_reads_folders_and_specs(run: Path, model: Path) -> None:
    base = json.loads(invoke("space", "show", model, "--format", "json").stdout)
    spec = run / "architecture.json"
    found = json.loads(invoke("space", "show", model, "--spec", spec, "--format", "json").stdout)
    assert base["num_params"] == SPACE.num_params(SPACE.base)
    assert found["arch_id"] == read_json(spec)["arch_id"]
    assert found["num_params"] == read_json(spec)["num_params"] < base["num_params"]
    table = invoke("space", "show", model)
    assert table.exit_code == 0
    assert "15 removals" in " ".join(table.stdout.split())
    assert "(8x8 latents, 24 text tokens)" in table.stdout


def test_macs_are_those_of_the_pipelines_own_text_tokens_in_every_command(
    run: Path, experiment: Path, model: Path
) -> None:
    tokens = 24  # the bundled tokenizer's
    macs = {a: SPACE.num_macs(a, context_tokens=tokens) for a in (SPACE.base, read_spec(run / "architecture.json")[0])}
    base, found = macs.values()
    spec = read_json(run / "architecture.json")
    assert (spec["num_macs"], spec["context_tokens"]) == (found, tokens)
    for folder in (model, model / "unet"):
        shown = json.loads(invoke("space", "show", folder, "--format", "json").stdout)
        assert (shown["num_macs"], shown["context_tokens"]) == (base, tokens)
    for more in ((), ("--latency-table", experiment.parent / "table.json")):
        told = json.loads(invoke("space", "diff", model, run, *more, "--format", "json").stdout)
        assert (told["before"]["num_macs"], told["after"]["num_macs"]) == (base, found)
        assert told["context_tokens"] == tokens
    assert "MACs at 8x8 latents, 24 text tokens" in invoke("space", "diff", model, run).stdout
    assert "MACs at 77 text tokens" in invoke("space", "known").stdout


def test_what_cannot_be_compared_says_why(run: Path, tmp_path: Path) -> None:
    assert "there is no architecture typo" in refused("space", "diff", "typo", "bk-sdm-tiny", "--base", "sd-1.5")
    assert "at most its 3 down stages" in refused("space", "diff", "sd-1.5", "koala-1b", "--base", "sdxl")
    assert "does not hold its base model" in refused("space", "diff", run / "architecture.json", "sd-1.5")
    (tmp_path / "config.yaml").write_text("{}")
    assert "must name its `model`" in refused("space", "show", tmp_path)
    (tmp_path / "config.yaml").unlink()
    broken = tmp_path / "unet"
    broken.mkdir()
    (broken / "config.json").write_text(json.dumps(SD15_CONFIG | {"_class_name": "SearchedUNet"}))
    assert "`architecture` in" in refused("space", "show", broken)
    (tmp_path / "spec.json").write_text(json.dumps(BUNDLED.base.to_dict() | {"base": "sd15"}))
    assert "`base` in" in refused("space", "show", PIPELINE_DIR, "--spec", tmp_path / "spec.json")
    shown = json.loads(invoke("space", "diff", str(run), str(run), "--format", "json").stdout)
    assert shown["positions"] == []


def test_space_diff_adds_up_and_known_models_are_listed(run: Path, model: Path) -> None:
    for arguments in (("sd-1.5", "bk-sdm-tiny"), ("bk-sdm-base", "bk-sdm-tiny"), (model, run)):
        told = json.loads(invoke("space", "diff", *map(str, arguments), "--format", "json").stdout)
        for key in ("num_params", "num_macs"):
            parts = sum(row[key] for row in told["positions"]) + told["other"][key]
            assert parts == told["together"][key] == told["after"][key] - told["before"][key]
    shown = invoke("space", "diff", str(model), str(run)).stdout
    assert all(action in shown for action in told["actions"])
    assert "together" in shown
    named = json.loads(invoke("space", "known", "--format", "json").stdout)
    assert {"sd-1.5", "ssd-1b", "koala-700m"} <= {model["name"] for model in named}
    assert "-resnet[down.3,0]&-position[down.3,0]" in invoke("space", "show", "sd-1.5", "--space", "stock").stdout


def test_milliseconds_of_a_space_are_those_of_its_table_and_refusals_of_one_law_are_one_line(
    experiment: Path, model: Path
) -> None:
    arguments = ("space", "show", model, "--latency-table", experiment.parent / "table.json")
    told = json.loads(invoke(*arguments, "--format", "json").stdout)
    table = read_table(experiment.parent / "table.json")
    predicted = table.predict(SPACE.sites(SPACE.base, **table.workload.sizes))
    assert told["ms"] == predicted.total_ms
    inside = sum(position["ms"] for stage in told["stages"] for position in stage["positions"])
    assert inside == pytest.approx(sum(block.ms for block in predicted.breakdown if block.position >= 0))
    shown = invoke(*arguments).stdout
    assert f"{told['ms']:.3f} ms" in shown
    refusals = [line for line in shown.splitlines() if "cannot be copied" in line]
    assert len(refusals) == 2
    reasons = [
        position[f"{kind}_copyable"]["why_not"].split()[0]
        for stage in told["stages"]
        for position in stage["positions"]
        for kind in ("resnet", "cross_attention")
        if not position[f"{kind}_copyable"]["possible"]
    ]
    assert all(any(name in line for line in refusals) for name in reasons)


def test_milliseconds_of_a_diff_add_up(run: Path, experiment: Path, model: Path) -> None:
    arguments = ("space", "diff", model, run, "--latency-table", experiment.parent / "table.json")
    told = json.loads(invoke(*map(str, arguments), "--format", "json").stdout)
    parts = sum(row["ms"] for row in told["positions"]) + told["other"]["ms"]
    assert parts == pytest.approx(told["together"]["ms"])
    assert told["after"]["ms"] == pytest.approx(
        json.loads((run / "architecture.json").read_text())["predicted_latency_ms"]
    )


def test_space_show_reads_the_architecture_of_an_export(tmp_path: Path) -> None:
    architecture = Action.parse("-cross_attention[up.3,0]").apply(BUNDLED.base)
    config = read_json(PIPELINE_DIR / "unet" / "config.json")
    config |= {"_class_name": "SearchedUNet", "architecture": architecture.to_dict()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    shown = json.loads(invoke("space", "show", tmp_path, "--format", "json").stdout)
    assert shown["arch_id"] == architecture.arch_id
