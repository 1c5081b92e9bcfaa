"""Replays of a recording: every method decides for every target, by captions that do not judge it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.command import run
from experiments.decisions.__main__ import main as decide
from experiments.decisions.__main__ import table
from experiments.decisions.bundled import prices_of, space_of
from experiments.decisions.copies import candidates, copied, copy_of, picks
from experiments.decisions.picture import picture
from experiments.decisions.ranking import Truth, draws, halves, kept_order, spread_of
from experiments.decisions.recorded import BASE, Recorded, passes_of, read_changes, read_recorded
from experiments.decisions.replay import SCREENED_BY, every_method, replays
from experiments.decisions.screens import holds
from experiments.decisions.screens import main as screen
from experiments.decisions.trainings import Recipe, keep_recipe
from search_spaces.files.user_error import UserError
from search_spaces.unets.stock_space import SpaceForm

METHODS = ["paper", "posterior", "race, posterior, by_regret", "elimination", "clip_change"]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """Eight removals of which the first four cost nothing and are together as fast as the target."""
    rng = np.random.default_rng(0)
    losses = np.repeat([0.0, 0.3], 4)[:, None] + np.repeat([1e-6, 0.05], 4)[:, None] * rng.normal(size=(8, 64))
    saved_ms = np.repeat([2.5, 3.0], 4)
    return Recorded(actions=tuple("abcdefgh"), losses=losses, saved_ms=saved_ms, base_ms=40.0, excludes=frozenset())


def test_every_method_decides_and_the_sure_ones_rightly(recorded: Recorded) -> None:
    changes = {"clip_change": np.repeat([1e-6, 0.4], 4)[:, None] * np.random.default_rng(1).random((8, 40))}
    rows = list(replays(recorded, changes=changes, seeds=2, num_captions=32, methods=METHODS))
    kinds = [key for key in every_method(32, screens={"clip_change": 40}) if key[0].startswith(tuple(METHODS))]
    assert len(rows) == len(kinds) * 2 * 3
    easy = [row for row in rows if row.ratio == 0.75]  # 10 ms: the four that cost nothing
    assert max(row.true_loss for row in easy) < 0.01
    alone = [row for row in rows if row.method == "clip_change alone"]
    assert {(row.captions, row.passes) for row in alone} == {(0, 8), (0, 32)}
    drawn = [row for row in rows if row not in alone]
    others = {row: SCREENED_BY if "clip_change" in row.method else 0 for row in drawn}
    assert all(0 < row.captions <= 32 and row.passes == 8 * row.captions + others[row] < inf for row in drawn)
    frame = pd.DataFrame([{name: getattr(row, name) for name in row.__slots__} for row in rows])
    told = table(frame).splitlines()
    assert len(told) == 2 + len(kinds)
    itself = [line for line in told if line.count("+0.0000 ± 0.0000") == 3]
    assert "| paper | 25 | " in "".join(itself), "the paper's with all loses nothing more than itself"
    assert picture(frame).axes


def test_other_targets_can_be_asked_for(recorded: Recorded) -> None:
    replayed = partial(replays, recorded, changes={}, seeds=1, num_captions=32, methods=["posterior"])
    rows = list(replayed(ratios=[0.95, 0.75]))
    assert [row for row in rows if row.ratio == 0.75] == [row for row in replayed() if row.ratio == 0.75]
    assert {row.ratio for row in rows} == {0.95, 0.75}


def test_a_recording_is_read_as_losses_with_what_excludes_what(tmp_path: Path) -> None:
    space = space_of(SpaceForm.STOCK)
    price_ms, base = prices_of(space), space.base
    actions = [BASE, *(str(action) for action in sorted(space.removals(base)))]
    saved = dict.fromkeys(actions, 1.0)
    frame = pd.DataFrame(
        {"action": action, "saved_ms": saved[action], "prompt": prompt, "score": 0.5 - 0.01 * number - 0.1 * prompt}
        for number, action in enumerate(actions)
        for prompt in range(3)
    )
    frame.to_parquet(tmp_path / "stock.parquet")
    found = read_recorded(tmp_path, SpaceForm.STOCK)
    assert list(found.actions) == actions[1:]
    assert found.losses == pytest.approx(np.outer(0.01 * np.arange(1, len(actions)), np.ones(3)))
    assert found.base_ms == price_ms(base)
    assert found.excludes
    numbers = frame[frame["action"] != BASE].rename(columns={"score": "score_name"}).drop(columns="saved_ms")
    numbers = pd.concat(
        [
            numbers.assign(score_name=name, passes=passes, score=sign * numbers["prompt"])
            for name, passes, sign in (("one", 1, 1.0), ("falls", 1, -1.0), ("dear", 8, 1.0))
        ]
    )
    numbers.to_parquet(tmp_path / "screens.parquet")
    changes = read_changes(tmp_path, found.actions)
    assert list(changes) == ["one"], "of one pass, and never negative"
    assert changes["one"].tolist() == [[0.0, 1.0, 2.0]] * len(found.actions)
    assert all(0 <= a < b < len(found.actions) for a, b in found.excludes)


def test_copies_to_train_are_those_that_are_picked_and_others_of_every_value() -> None:
    names = [str(action) for action in sorted(space_of(SpaceForm.ANY).removals(space_of(SpaceForm.ANY).base))][:8]
    true = np.linspace(0.0, 0.07, 8)
    losses = true[:, None] + 1e-4 * np.random.default_rng(0).normal(size=(8, 32))
    losses[2, :8] += 0.6  # eight captions take it for the best
    losses[2, 8:] -= 0.2
    known = Recorded(actions=tuple(names), losses=losses, saved_ms=np.ones(8), base_ms=40.0, excludes=frozenset())
    picked = picks(known)
    assert set(picked) == {f"{rule}, {num}" for rule in ("paper", "posterior") for num in (8, 16, 32)}
    assert (picked["paper, 8"], picked["paper, 32"]) == (copy_of(names[2]), copy_of(names[7]))
    tried = candidates(known, 5)
    assert len(tried) == 5
    assert set(picked.values()) <= set(tried)
    assert tried[0] == copy_of(names[7]), "the most valuable first"
    assert all(name.startswith("+") for name in tried)


def test_what_cannot_be_copied_is_no_candidate() -> None:
    space = space_of(SpaceForm.ANY)
    names = [str(action) for action in sorted(space.removals(space.base))]
    losses, saved_ms = np.arange(len(names), dtype=float)[:, None] * np.ones(3), np.arange(1.0, len(names) + 1)
    found = copied(
        Recorded(actions=tuple(names), losses=losses, saved_ms=saved_ms, base_ms=40.0, excludes=frozenset({(0, 1)}))
    )
    assert {copy_of(name) for name in found.actions} == {str(action) for action in space.copies(space.base)}
    assert 0 < len(found.actions) < len(names)
    for name, own, saved in zip(found.actions, found.losses, found.saved_ms, strict=True):
        assert (own == names.index(name)).all()
        assert saved == names.index(name) + 1


def test_targets_that_some_removals_do_not_reach_stay_empty() -> None:
    losses = pd.DataFrame({prompt: [0.0, 0.1, 0.2] for prompt in range(4)}, index=["a", "b", "c"])
    truth = Truth(losses=losses, saved_ms=pd.Series(1.0, index=losses.index))
    after = pd.Series({"a": 0.3, "c": 0.1})
    found = list(draws(losses, truth=truth, num=2, num_draws=3, most_ms=[1.5, 4.0], after=after, decides_by_truth=True))
    assert [draw.lost[0] for draw in found] == pytest.approx([0.1] * 3)
    assert [(draw.tau, draw.tau_after) for draw in found] == [(1.0, -1.0)] * 3
    assert spread_of([draw.lost[1] for draw in found], signed=True) == ""


def record(folder: Path, *, actions: Sequence[str], num: int = 6) -> Path:
    """A recording of made-up scores."""
    rng = np.random.default_rng(0)
    rows = [
        {"action": action, "prompt": prompt, "score": rng.random(), "saved_ms": float(action != BASE), "caption": "a"}
        for action in actions
        for prompt in range(num)
    ]
    folder.mkdir()
    pd.DataFrame(rows).to_parquet(folder / "any.parquet")
    return folder


def told(command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command that refuses says, in one sentence."""
    with pytest.raises(SystemExit) as end:
        run(command)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_commands_refuse_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    removals = [str(action) for action in sorted(space_of(SpaceForm.ANY).removals(space_of(SpaceForm.ANY).base))][:3]
    good, out = record(tmp_path / "good", actions=[BASE, *removals]), tmp_path / "out.csv"
    begun = record(tmp_path / "begun", actions=[BASE])
    torn = record(tmp_path / "torn", actions=[BASE])
    (torn / "any.parquet").write_bytes(b"PAR1")
    for arguments, expected in (
        ([tmp_path / "none"], "none/any.parquet must be a recording, but is not there"),
        ([begun], "must hold scores of the base and of a removal, but is of 1 networks"),
        ([torn], "must be a parquet file, but cannot be read"),
        ([good, "--num-captions", "8"], "`--num-captions` is 8 of 6; give fewer, or record more"),
        ([good, "--screens", tmp_path / "none"], "none/screens.parquet must be a recording, but is not there"),
        ([good, "--fewer-steps", tmp_path / "none"], "none/any.parquet must be a recording, but is not there"),
    ):
        monkeypatch.setattr(sys, "argv", ["replay", "--out", str(out), "--recorded", *map(str, arguments)])
        assert expected in told(decide, capsys)
        assert not out.exists()
    screened = ["--recorded", str(good), "--out", str(tmp_path / "screens"), "--score", "nonsense"]
    monkeypatch.setattr(sys, "argv", ["screens", *screened])
    assert "`--score` must be among output_change, " in told(screen, capsys)


def test_networks_of_another_recipe_are_not_taken_for_those_that_are_asked_for(tmp_path: Path) -> None:
    recipe = Recipe(steps=1, num_prompts=2, num_pictures=2, batch_size=2)
    path = tmp_path / "trained-1x2-2" / "recipe.txt"
    keep_recipe(path, recipe)
    keep_recipe(path, recipe)
    for change in ({"num_pictures": 4}, {"chunk_size": 4}, {"device": "cuda"}, {"captions": Path(__file__)}):
        with pytest.raises(UserError, match=rf"must all be trained alike, but .* have {next(iter(change))} = "):
            keep_recipe(path, replace(recipe, **change))


def test_a_cheap_score_of_more_prompts_than_were_measured_is_measured_again() -> None:
    known = pd.DataFrame({"action": ["-a", "-a", "-b", "-b"], "prompt": [0, 1, 0, 1]})
    assert holds(known, {"-a", "-b"}, 2)
    assert holds(known, {"-a"}, 1)
    assert not holds(known, {"-a"}, 3)
    assert not holds(known, {"-a", "-c"}, 2)


def test_losses_agree_with_themselves_as_far_as_captions_tell_them_apart() -> None:
    rng = np.random.default_rng(0)
    sizes, noise = np.arange(8.0)[:, None], rng.normal(size=(8, 40))
    assert halves(pd.DataFrame(sizes + 0.01 * noise), num_draws=20) == pytest.approx([1.0] * 20)
    assert np.mean(halves(pd.DataFrame(noise))) < 0.3
    before = pd.Series(sizes[:, 0], index=[f"-{number}" for number in range(8)])
    told = kept_order(before, -before.iloc[[5, 1, 2]])
    assert "3 removals" in told
    assert "with that after -1.00, correlation -1.00; mean loss 2.6667 before, -2.6667 after" in told


def test_a_recording_says_what_its_pictures_cost() -> None:
    assert passes_of(pd.DataFrame({"passes": [100, 100]})) == 100
    assert passes_of(pd.DataFrame({"action": [""]})) == 8, "until it did, all were of four steps"
