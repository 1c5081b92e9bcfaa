"""A search whose contests are screened: the same after a kill and on other workers; the trace says who was spared."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import UNet2DConditionModel
from typer.testing import CliRunner

from nas.cli.app import app
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.config.scores import screened_on
from nas.reports.comparison import compare
from nas.reports.page.data import report_data
from nas.reports.page.reading import read_source
from nas.reports.page.tables import tables_of
from nas.reports.page.values import Estimate
from nas.reports.page.words import interval
from nas.reports.page.writing import write_report
from nas.reports.side_by_side import lines
from nas.runs.frames.rounds import screened_rounds
from nas.runs.run import open_run, open_runs
from nas.runs.trace import num_passes, read_trace
from nas.scores.store import ScoreStore
from nas.search.estimate import expected_work
from nas.search.progress import Progress
from nas.sweeps.rerank import reranking_config
from tests.nas.searching import same_result, search, search_until_training
from tests.nas.spread import spread
from tests.nas.synthetic import small_config, write_experiment
from tests.warm import exit_code

SCREENED = ["scoring.screen=shortlist", "scoring.num_prompts=2", "scoring.shortlist=2"]


def test_it_goes_on_after_a_kill_and_on_other_workers_as_if_nothing_had_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = {"screen": "shortlist", "num_prompts": 2, "shortlist": 2}
    settings = small_config(removals_per_round=1, target_ratio=0.85) | {"scoring": scoring}
    config = write_experiment(tmp_path, settings)
    search(config, tmp_path / "undisturbed")
    assert exit_code(search_until_training, config, tmp_path / "killed", 1) == -signal.SIGKILL
    spread(monkeypatch)
    search(config, tmp_path / "killed", num_workers=2)
    same_result(tmp_path / "undisturbed", tmp_path / "killed")

    events = read_trace(tmp_path / "undisturbed" / "trace.jsonl")
    measured = [event for event in events if event["event"] == "measurement"]
    screens = [event for event in events if event["event"] == "screen"]
    assert len(measured) == len(screens) >= 2
    first, screen = measured[0], screens[0]
    assert (first["by"], first["num_prompts"], screen["by"]) == ("output_change", 2, "output_change")
    assert first["reference"]["mean"] == 0, "the round's own network changes nothing"
    actions = [each["action"] for each in first["subjects"]]
    scored = [each["action"] for each in events if each["event"] == "evaluation" and each["round"] == 0][1:]
    assert scored
    assert set(actions) == {*screen["free"], *screen["dropped"], *scored}
    assert len(actions) == len(screen["free"]) + len(screen["dropped"]) + len(scored)
    later = measured[1]["reference"]
    assert later["mean"] == 0, "each round has a reference of its own, trained as it is"
    spared = screened_rounds(events)
    assert len(spared) == len(screens)
    num_spared = len(screen["free"]) + len(screen["dropped"])
    assert spared[0].startswith(f"round 0: {num_spared} actions took no prompt by output_change")
    scores = ScoreStore(tmp_path / "killed" / "scores").frame(score="output_change")
    num_measured = sum(1 + len(each["subjects"]) for each in measured)
    assert len(scores) == 2 * num_measured


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The config and the finished run of a search that a cheap score decided alone."""
    folder = tmp_path_factory.mktemp("alone")
    settings = small_config(removals_per_round=1, target_ratio=0.85)
    config = write_experiment(folder, settings | {"scoring": {"screen": "alone", "num_prompts": 9}})
    search(config, folder / "run")
    return config, folder / "run"


def test_what_a_cheap_score_decided_alone_was_foreseen(alone: tuple[Path, Path]) -> None:
    config, run = alone
    least, most = expected_work(resolve(load_config(config)))
    assert least.num_rounds < most.num_rounds, "it may take the slowest first, or the quickest"
    assert least.num_passes <= num_passes(read_trace(run / "trace.jsonl")) <= most.num_passes


@pytest.mark.parametrize("by", ["output_change", "block_similarity", "clip_glimpse"])
def test_the_estimate_is_what_the_run_counts_and_what_the_unet_is_asked(
    tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = small_config(removals_per_round=5, target_ratio=0.999)
    settings["robust_training"] |= {"iterations": 0, "recovery_iterations": 0}
    config = write_experiment(tmp_path, settings | {"scoring": {"screen": "alone", "by": by, "num_prompts": 2}})
    asked, forward = [], UNet2DConditionModel.forward

    def counted(unet: UNet2DConditionModel, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        asked.append(len(sample))
        return forward(unet, sample, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", counted)
    told: list[Progress] = []
    search(config, tmp_path / "run", on_progress=told.append)
    least, most = expected_work(resolve(load_config(config)))
    assert least == most
    assert least.num_passes == told[-1].num_passes == num_passes(read_trace(tmp_path / "run" / "trace.jsonl")) > 0
    assert least.num_pictures == told[-1].num_pictures
    assert sum(asked) == least.num_passes + 2 * least.num_pictures, "a picture is one guided step here"


def test_status_and_report_tell_what_the_cheap_score_said(alone: tuple[Path, Path], tmp_path: Path) -> None:
    run = open_run(alone[1])
    measured = [event for event in run.events if event["event"] == "measurement"]
    executed = run.decisions().dropna(subset="screened_by")
    assert len(executed) == len(measured) >= 3
    for row, event in zip(executed.to_dict(orient="records"), measured, strict=True):
        (own,) = (each for each in event["subjects"] if each["action"] == row["action"])
        assert (row["change"], row["change_high"]) == (own["loss"]["mean"], own["loss"]["high"])
        assert (row["screened_by"], row["unit"]) == ("output_change", "mean square")
        assert row["d_latency_ms"] == own["d_latency_ms"] > 0
    spent = f"{num_passes(run.events):,}"
    told = CliRunner().invoke(app, ["status", str(run.path)], env={"COLUMNS": "120"}).stdout
    assert "output_change, mean square" in told
    assert "costs CLIP" not in told, "nothing was scored by CLIP"
    assert f"UNet passes of other scores than CLIP, what workers prepared included: {spent}" in told
    assert "output_change decided alone, on 3 prompts for each of 5 actions" in told, "as many as there are"
    assert json.loads(CliRunner().invoke(app, ["status", str(run.path), "--format", "json"]).stdout)["num_passes"] > 0
    data = report_data(read_source(run))
    (decisions,) = (table for table in tables_of(data) if table.title == "Decisions")
    assert decisions.columns[-1].name == "output_change, mean square"
    assert [row.cells[-1].value for row in decisions.rows] == executed["change"].tolist()
    assert data.numbers.spent is not None
    assert f"{data.numbers.spent.num_passes:,}" == spent
    page = write_report(run, tmp_path / "report.html").read_text(encoding="utf-8")
    first = executed.iloc[0]
    said = interval(Estimate(mean=first["change"], low=first["change_low"], high=first["change_high"]), signed=True)
    assert "Its removal alone was not scored by CLIP." in page
    assert f"output_change decided in round {first['round']}: {said} mean square." in page


def test_a_comparison_counts_the_passes_of_cheap_scores(alone: tuple[Path, Path], run: Path) -> None:
    found = compare(open_runs([alone[1], run]), now=0.0)
    cheap = num_passes(open_run(alone[1]).events)
    assert dict(lines(found))["UNet passes of other scores"] == (f"{cheap:,}", "0")
    assert found.fronts is not None
    each = 2  # of a picture: one step, guided
    pictures = [each * row.num_pictures for row in found.rows]
    assert [spent.passes for spent in found.fronts.runs] == [pictures[0] + cheap, pictures[1]]


def test_a_ranking_of_finalists_is_not_screened(run: Path, tmp_path: Path) -> None:
    parent = Path(shutil.copytree(run, tmp_path / "parent"))
    stored = yaml.safe_load((parent / "config.yaml").read_text(encoding="utf-8"))
    stored["scoring"]["screen"] = "shortlist"
    (parent / "config.yaml").write_text(yaml.safe_dump(stored), encoding="utf-8")
    config, _ = reranking_config(open_run(parent), num_finalists=2)
    assert resolve(config).others == {}


def test_a_screen_on_more_prompts_than_there_are_is_told(alone: tuple[Path, Path]) -> None:
    said = "`scoring.num_prompts` is 9, but `validation.num_prompts` is 3: output_change screens on all 3"
    told = CliRunner().invoke(app, ["search", str(alone[0]), "--dry-run"], env={"COLUMNS": "200"}).output
    assert said in told
    assert screened_on(load_config(alone[0], overrides=["scoring.num_prompts=3"])) is None
    assert screened_on(load_config(alone[0], overrides=["scoring.screen=off"])) is None


def test_a_cheap_score_that_nothing_asks_is_told(alone: tuple[Path, Path]) -> None:
    """Whoever names a cheap score but no screen would search at full price without a word."""
    said = "`scoring.by` is clip_glimpse, but `scoring.screen` is off, so that it decides nothing"
    off = ["scoring.screen=off", "scoring.by=clip_glimpse"]
    assert said in str(screened_on(load_config(alone[0], overrides=off)))
    told = CliRunner().invoke(app, ["search", str(alone[0]), *off, "--dry-run"], env={"COLUMNS": "200"}).output
    assert said in told


def test_a_score_that_decided_alone_is_told_as_such() -> None:
    measured = {"event": "measurement", "round": 0, "by": "clip_glimpse", "num_prompts": 16, "subjects": [{}, {}, {}]}
    screen = {"event": "screen", "round": 0, "by": "clip_glimpse", "free": ["-a"], "dropped": ["-b"]}
    shortlist, alone = screen, screen | {"free": [], "dropped": ["-a", "-b", "-c"]}
    assert screened_rounds([measured, shortlist, measured, alone]) == [
        "round 0: 2 actions took no prompt by clip_glimpse, 1 of them since they change nothing (-a)",
        "round 0: clip_glimpse decided alone, on 16 prompts for each of 3 actions",
    ]


def test_the_estimate_counts_passes_and_the_pictures_that_are_spared(experiment: Path) -> None:
    plain = resolve(load_config(experiment))
    screened = resolve(load_config(experiment, overrides=[*SCREENED, "racing.enabled=false"]))
    least, most = expected_work(screened)
    assert expected_work(plain)[1].num_passes == 0
    assert most.num_pictures < expected_work(plain)[1].num_pictures
    assert least.num_pictures == 3 * least.num_rounds, "where everything is free, rounds alone are scored"
    num_removals = 5
    drawing = screened.worker.setting.passes_per_picture
    assert least.num_passes >= 2 * (drawing + 1 + num_removals + 1)


@pytest.mark.parametrize(
    ("overrides", "law"),
    [
        (["scoring.screen=free", "scoring.by=training_loss"], r"scoring.screen=free the score training_loss must be a"),
        (["scoring.screen=free", "scoring.settings={reference: model}"], r"the score output_change must be a distance"),
        (
            ["score.name=output_change", "clip=null", "scoring.screen=alone", "scoring.by=clip_glimpse"],
            r"clip_glimpse looks through CLIP, but the config has no section `clip`; give it one",
        ),
        (["scoring.screen=alone", "scoring.by=clip"], r"`scoring.by` must be another score than the run's own, but bo"),
        (
            ["scoring.screen=alone", "scoring.by=beauty"],
            r"`scoring.by`.*must be one of clip, .*'beauty'",
        ),
        (["scoring.screen=alone", "scoring.settings={colour: red}"], r"the score `output_change` takes the settings"),
        (["scoring.screen=always"], r"scoring.screen.*off"),
        (
            ["clip=null", "score={name: output_change, settings: {reference: round}}"],
            r"output_change is a distance to the network of each round here, by which rounds cannot be compared",
        ),
        (
            ["search={algorithm: random_search, target_ratio: 0.94}", "scoring.screen=alone"],
            r"`scoring.screen` is alone, but `search.algorithm` is random_search, which holds no contests",
        ),
    ],
)
def test_a_screen_that_cannot_be_is_refused_when_the_config_is_read(
    experiment: Path, overrides: list[str], law: str
) -> None:
    with pytest.raises(ValueError, match=law):
        resolve(load_config(experiment, overrides=overrides))


def test_the_defaults_of_a_screen_are_relative_distances_to_the_round(experiment: Path) -> None:
    def settings(*overrides: str) -> Any:
        worker = resolve(load_config(experiment, overrides=["scoring.screen=shortlist", *overrides])).worker
        return worker.others[0].settings

    assert settings() == {"reference": "round", "relative": True}
    assert settings("scoring.by=picture_distance") == {"reference": "round"}
    assert settings("scoring.by=training_loss") == {}
    assert settings("scoring.settings={relative: false}") == {"reference": "round", "relative": False}
