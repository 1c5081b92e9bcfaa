"""The study of skipping: what its numbers say, and that nothing is computed twice or mixed up."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from experiments.skipping import removals
from experiments.skipping.one import FOUND, FULL, RECOVERED, Ledger, folder_of, found_of
from experiments.skipping.results import picture, pooled, results, row_of, summary
from experiments.skipping.study import CASES, Study, evenly
from search_spaces.actions import AnyAction
from search_spaces.files.user_error import UserError
from tests.nas.synthetic import shapes_space

STUDY = Study(
    unet="unet",
    pipeline="pipeline",
    clip="clip",
    captions="captions.txt",
    pictures="pictures",
    steps=1,
    recovery_steps=1,
    batch_size=1,
    learning_rate=1e-3,
    num_prompts=2,
    chunk_size=2,
    sampling_steps=1,
    guidance=1.0,
    num_removals=3,
    num_recovered=2,
    found_share=0.8,
    device="cpu",
)
NUMBERS = {FULL: 0.9, "-a": 0.8, "-b": 0.6, "-c": 0.7, FOUND: 0.5, RECOVERED + FOUND: 0.6, "seconds": 3.0} | {
    RECOVERED + name: score for name, score in {"-a": 0.89, "-b": 0.85, "-c": 0.84}.items()
}


def test_a_number_is_computed_once_and_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    assert Ledger(path).get("a", lambda: 1.5) == 1.5
    assert Ledger(path).get("a", lambda: 2.5) == 1.5


def test_a_work_folder_is_of_one_study(tmp_path: Path) -> None:
    STUDY.write(tmp_path)
    STUDY.write(tmp_path)
    assert Study.read(tmp_path) == STUDY
    with pytest.raises(UserError, match=r"\{'steps': \(1, 7\)\}; give another --work"):
        replace(STUDY, steps=7).write(tmp_path)


def test_the_removals_found_are_the_cheapest_by_what_they_save() -> None:
    space = shapes_space()
    every = space.removals(space.base)
    lost: dict[AnyAction, float] = {action: float(index) for index, action in enumerate(every)}
    lost[every[-1]] = -1.0
    assert found_of(space, lost, 1.0) == space.base
    found = found_of(space, lost, 0.7)
    macs = space.num_macs(space.base)
    assert space.num_macs(found) <= 0.7 * macs
    assert every[-1] not in space.removals(found), "what costs nothing goes first"
    saved = {action: macs - space.num_macs(action.apply(space.base)) for action in every}
    gone = {action for action in every if action not in space.removals(found)}
    assert max(lost[a] / saved[a] for a in gone) < min(lost[a] / saved[a] for a in set(every) - gone)


def test_values_are_taken_evenly() -> None:
    assert evenly(list("abcdefgh"), 4) == ["a", "c", "e", "g"]
    assert evenly(list("abc"), 9) == ["a", "b", "c"]


def test_rank_correlation_is_of_scores_before_and_after_recovery() -> None:
    row = row_of(NUMBERS)
    assert row["rank_correlation"] == pytest.approx(0.5)
    assert row["mean_loss"] == pytest.approx(0.2)
    assert (row["full"], row["found"], row["found_recovered"], row["num_recovered"]) == (0.9, 0.5, 0.6, 3)


def test_what_is_not_done_is_no_row_and_what_is_done_is_told_and_drawn(tmp_path: Path) -> None:
    for case, seed in (("0.1 ramped", 0), ("0.1 ramped", 1), ("sandwich", 0)):
        ledger = Ledger(folder_of(tmp_path, case, seed) / "scores.json")
        for name, number in NUMBERS.items():
            if (case, name) != ("sandwich", "seconds"):
                ledger.get(name, partial(float, number - seed / 10))
    frame = results(tmp_path, cases=list(CASES), seeds=[0, 1])
    assert list(zip(frame["case"], frame["seed"], strict=True)) == [("0.1 ramped", 0), ("0.1 ramped", 1)]
    assert "| 0.1 ramped | 2 | 0.850 (0.800 to 0.900) |" in summary(frame)
    drawn = picture(frame)
    assert [axes.get_title(loc="left").split(":")[0] for axes in drawn.axes] == ["CLIP", "CLIP", "Rank correlation"]
    assert len(drawn.axes[0].collections) == 1


def test_what_skipping_does_at_all_and_what_a_ramp_does_is_pooled() -> None:
    scores = {
        ("0", 0): 1.0,
        ("0", 1): 3.0,
        ("0.1", 0): 4.0,
        ("0.1", 1): 6.0,
        ("0.1 ramped", 0): 5.0,
        ("sandwich", 1): 9.0,
    }
    frame = pd.DataFrame([{"case": case, "seed": seed} for case, seed in scores])
    for name in ("full", "found", "found_recovered", "mean_loss", "rank_correlation"):
        frame[name] = list(scores.values())
    row = pooled(frame).splitlines()[2]
    assert row == "| full | 2.000 ± 1.000 | 6.000 ± 1.080 | 1.000 |", "means of 1, 3; of 4, 6, 5, 9; and 5 less 4"


def test_removals_of_both_trainings_stand_side_by_side() -> None:
    frame = pd.DataFrame(
        {"training": training, "stage": "Mid", "block": block, "d_clip": lost, "low": lost - 0.1, "high": lost + 0.1,
         "full": 0.9}
        for training, lost in (("plain", 0.5), ("robust", 0.25)) for block in ("resnet[mid,0]", "resnet[mid,1]")
    )  # fmt: skip
    row = "| Mid | `resnet[mid,1]` | +0.5000 [+0.4000, +0.6000] | +0.2500 [+0.1500, +0.3500] |"
    assert removals.table(frame).splitlines()[-1] == row
    other = frame.assign(d_clip=[0.5, 0.7, 0.25, 0.35], block=["cross_attention[mid,0]", "resnet[mid,0]"] * 2)
    told = removals.compared(other).splitlines()
    assert told[0].endswith("a removal costs 0.6000, one of attention 0.5000, the worst 0.7000")
    assert told[2] == "dearer without: +0.3000 ± 0.0500; Spearman 1.00"
    figure = removals.picture(frame)  # a legend of the figure's own would stand in the title
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert not figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["without robust training (full UNet: 0.900)", "with robust training (full UNet: 0.900)"]
