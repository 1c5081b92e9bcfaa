"""The frames of a whole run: what a search wrote is in them, joined to its rounds; also of a run of before."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nas.runs.bundled.naming import BUNDLED_RUNS
from nas.runs.frames.methods import FRAMES
from nas.runs.records.lines import Losses
from nas.runs.run import open_run, open_runs
from nas.scores.store import ScoreStoreError
from tests.folders import SMALL_SIZE_PX
from tests.nas.synthetic import small_space


def test_blocks_of_a_round_cost_what_the_round_does(run: Path) -> None:
    opened, space = open_run(run), small_space()
    blocks, rounds = opened.blocks(), opened.rounds()
    sums = blocks.groupby("round")[["ms", "num_params"]].sum()
    assert sums.index.tolist() == [-1, *rounds["round"]]
    assert sums["ms"].tolist()[1:] == pytest.approx(rounds["predicted_latency_ms"].tolist())
    assert sums["num_params"].tolist()[1:] == rounds["num_params"].tolist()
    inside = blocks[blocks["stage"] != ""].drop_duplicates("stage")
    assert inside["paper_stage"].tolist() == [space.paper_stage(stage) for stage in inside["stage"]]
    assert set(blocks[blocks["stage"] == ""]["paper_stage"]) == {""}


def test_training_counts_on_through_the_rounds(run: Path) -> None:
    training = open_run(run).training()
    assert training["global_step"].tolist() == list(range(len(training)))
    per_round = training.groupby("round")["step"].agg(["min", "max", "size"])
    assert (per_round["min"] == 0).all()
    assert (per_round["max"] + 1 == per_round["size"]).all()
    assert training["recovering"].tolist()[-1]
    assert np.isfinite(training["loss"]).all()


def test_timings_say_which_action_took_how_long(run: Path) -> None:
    opened = open_run(run)
    timings, scored = opened.timings(), opened.evaluations()
    assert set(timings["phase"]) == {"robust training", "recovery", "scoring"}
    assert (timings["seconds"] > 0).all()
    of_actions = timings[timings["action"].notna()].groupby(["round", "action"])["num_pictures"].sum()
    expected = scored.set_index(["round", "action"])["num_prompts"].sort_index()
    assert of_actions.to_dict() == expected.to_dict()
    assert timings["chunk"].isna().tolist() == (timings["phase"] != "scoring").tolist()


def test_pictures_are_read_as_they_are_asked_for(run: Path) -> None:
    opened = open_run(run)
    pictures = opened.pictures(rounds=[0])
    own, others = pictures[pictures["action"].isna()], pictures[pictures["action"].notna()]
    assert len(own) == 2, "the first chunk"
    assert set(others["prompt_id"]) == set(own["prompt_id"])
    assert set(others["action"]) == set(opened.evaluations().query("round == 0")["action"])
    assert {Image.open(BytesIO(png)).size for png in pictures["png"]} == {(SMALL_SIZE_PX, SMALL_SIZE_PX)}
    action = others["action"].iloc[0]
    assert set(opened.pictures(actions=[action])["action"]) == {action}
    assert opened.pictures(rounds=[0], actions=[None])["png"].tolist() == own["png"].tolist()
    assert opened.pictures(rounds=[99]).empty


def test_scores_are_read_as_they_are_asked_for(run: Path) -> None:
    opened = open_run(run)
    scores, scored = opened.scores(), opened.evaluations()
    first = opened.scores(rounds=[0], columns=["arch_id", "clip"])
    assert list(first) == ["arch_id", "clip"]
    wanted = set(scored.query("round == 0")["arch_id"]) | set(opened.rounds().query("round == 0")["arch_id"])
    assert set(first["arch_id"]) == wanted
    one = scored["arch_id"].iloc[0]
    assert opened.scores(arch_ids=[one])["clip"].tolist() == scores[scores["arch_id"] == one]["clip"].tolist()
    assert opened.scores(rounds=[0], arch_ids=["nobody"]).empty


def test_decisions_of_a_search_follow_its_trace(run: Path) -> None:
    opened = open_run(run)
    decisions = opened.decisions()
    executed = " ".join(opened.rounds()["actions"]).split()
    assert decisions["action"].dropna().tolist() == executed
    assert decisions["stop"].dropna().tolist() == [opened.spec["stop"]]
    assert decisions["chance"].dropna().between(0, 1).all()


def test_losses_in_the_trace_of_an_older_version_are_read(run: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{}\n", encoding="utf-8")
    trained = '{"event": "trained", "round": 0, "iterations": 2, "recovering": false, "weights_digest": "w0", '
    (tmp_path / "trace.jsonl").write_text(trained + '"runtime": {"losses": [0.5, 0.25]}}\n', encoding="utf-8")
    opened = open_run(tmp_path)
    assert opened.training()["loss"].tolist() == [0.5, 0.25]
    assert any(notice.startswith(f"there is no {Losses.file}") for notice in opened.notices)


def test_captions_with_markup_stay_as_they_are(tmp_path: Path) -> None:
    """Frames hold text; whoever shows it spells it out."""
    assert pd.DataFrame(open_run(_hostile(tmp_path)).evaluations())["action"].tolist() == ["<script>[bold]\x1b[2J"]


def _hostile(folder: Path) -> Path:
    (folder / "config.yaml").write_text("{}\n", encoding="utf-8")
    interval = '{"mean": 0.1, "low": 0, "high": 0.2, "num_prompts": 2, "confidence": 0.95}'
    event = (
        '{"event": "evaluation", "round": 0, "action": "<script>[bold]\\u001b[2J", "arch_id": "a", "value": null, '
        f'"d_latency_ms": 0, "clip": {interval}, "d_clip": {interval}}}\n'
    )
    (folder / "trace.jsonl").write_text(event, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", FRAMES)
def test_columns_have_the_same_types_whatever_stands_in_them(name: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    for file in ("config.yaml", "trace.jsonl"):
        text = (BUNDLED_RUNS["sample"] / file).read_text(encoding="utf-8")
        (begun / file).write_text(text if file == "config.yaml" else text.partition("\n")[0] + "\n", encoding="utf-8")
    full, empty = (getattr(open_run(path), name)() for path in ("sample", begun))
    assert len(full)
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert pd.concat([empty, full]).dtypes.to_dict() == full.dtypes.to_dict()
    several = getattr(open_runs([begun]), name)()
    assert several.dtypes.to_dict() == getattr(open_runs(["sample"]), name)().dtypes.to_dict()


def test_a_column_that_scores_have_not_is_refused_of_a_run_without_scores_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("{}\n", encoding="utf-8")
    with pytest.raises(ScoreStoreError, match=r"scores have the columns weights_digest, .*, but got nothing_such"):
        open_run(tmp_path).scores(columns=["nothing_such"])
