"""Replays of a recording: every method decides for every target, by captions that do not judge it."""

from functools import partial
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.decisions.__main__ import table
from experiments.decisions.bundled import prices_of, space_of
from experiments.decisions.copies import candidates, copied, copy_of, picks
from experiments.decisions.picture import picture
from experiments.decisions.ranking import Truth, draws, spread_of
from experiments.decisions.recorded import BASE, Recorded, read_changes, read_recorded
from experiments.decisions.replay import SCREENED_BY, every_method, replays
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
