"""Values choose a group: greedy, best first, with ties settled on purpose; for many draws as for one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.values.belief import Belief
from nas.values.certainty import Certainty, regrets
from nas.values.group import Choice, renumbered
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Losses
from nas.values.weighing import values, weighed
from search_spaces.files.user_error import UserError

SEEDS = st.integers(0, 2**32 - 1)
NUM = 9


def choice_of(seed: int, **changes: object) -> Choice:
    rng = np.random.default_rng(seed)
    pairs = frozenset((int(a), int(b)) for a, b in rng.integers(0, NUM, (4, 2)) if a != b)
    given_ = {
        "saved_ms": tuple(rng.choice([0.5, 1.0, 2.0], NUM).tolist()),
        "num": int(rng.integers(1, NUM + 1)),
        "highest": bool(rng.integers(2)),
        "needed_ms": None if rng.integers(2) else float(rng.uniform(0.5, 8)),
        "excludes": pairs,
        "larger_first": bool(rng.integers(2)),
    }
    return Choice(**(given_ | changes))  # type: ignore[arg-type]


def step_by_step(values_: np.ndarray, choice: Choice) -> tuple[int, ...]:
    """The same as a person would do it."""
    sign, saved = (-1 if choice.highest else 1), choice.saved_ms
    keys = {
        i: (sign * values_[i], -sign * saved[i], i) if choice.larger_first else (sign * values_[i], sign * i)
        for i in range(NUM)
    }
    group: list[int] = []
    for i in sorted(keys, key=keys.__getitem__):
        full = len(group) == choice.num or sum(saved[j] for j in group) >= (choice.needed_ms or np.inf)
        if not full and not any({(i, j), (j, i)} & choice.excludes for j in group):
            group.append(i)
    return tuple(group)


@given(SEEDS)
def test_a_group_is_what_a_person_would_choose(seed: int) -> None:
    choice = choice_of(seed)
    drawn = np.random.default_rng(seed).choice([0.0, 0.1, 0.2, 0.3], (5, NUM))
    members = choice.members(drawn)
    for row, mask in zip(drawn, members, strict=True):
        expected = step_by_step(row, choice)
        assert choice.group(row) == expected
        assert np.flatnonzero(mask).tolist() == sorted(expected)


def losses_of(means: list[float], *, error: float, saved_ms: list[float]) -> Losses:
    num = 16.0
    return Losses(
        means=np.array(means),
        variances=np.full(len(means), num * error**2),
        nums=np.full(len(means), num),
        saved_ms=np.array(saved_ms),
    )


def test_values_are_the_written_formulas() -> None:
    known = losses_of([-0.02, 0.0001, 0.03], error=0.01, saved_ms=[1.0, 2.0, 4.0])
    by = {rule: values(known, ValueRule(rule=rule, indifference=0.012)) for rule in Rule}
    assert by[Rule.PAPER] == pytest.approx([-0.02, 0.00005, 0.0075])
    assert by[Rule.UPPER_BOUND] == pytest.approx([0.012, 0.006, 0.009])  # of 0.01, 0.0101 and 0.04: 1, 1, 3 steps
    bare = {rule: weighed(known, ValueRule(rule=rule)) for rule in Rule}
    assert bare[Rule.UPPER_BOUND] == pytest.approx([0.01, 0.0101, 0.04])
    assert bare[Rule.POSTERIOR] == pytest.approx(Belief.after(known).means)
    lower = weighed(known, ValueRule(rule=Rule.UPPER_BOUND, indifference=0.012), highest=True)
    assert lower == pytest.approx([0.0, 0.0, 0.024])  # of a copy the doubt counts the other way: 0.02 is 2 steps


@given(SEEDS)
def test_among_losses_of_about_nothing_the_larger_saving_goes_first(seed: int) -> None:
    """Whatever the luck of losses below the indifference, the order is that of the milliseconds, then of the names."""
    rng = np.random.default_rng(seed)
    saved = rng.choice([0.5, 1.0, 2.0], NUM)
    for rule in (Rule.UPPER_BOUND, Rule.POSTERIOR):
        known = losses_of((1e-5 * rng.normal(size=NUM)).tolist(), error=1e-5, saved_ms=saved.tolist())
        choice = Choice(saved_ms=tuple(saved.tolist()), num=NUM)
        group = choice.group(values(known, ValueRule(rule=rule, indifference=0.001)))
        assert list(group) == sorted(range(NUM), key=lambda i: (-saved[i], i))


def test_an_indifference_must_be_a_number() -> None:
    for wrong in (-0.1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="indifference"):
            ValueRule(indifference=wrong)


def test_what_is_known_well_is_surely_right_and_what_is_not_is_not() -> None:
    choice = Choice(saved_ms=(1.0, 1.0, 1.0), num=1)
    sure = losses_of([0.0, 0.5, 0.5], error=0.001, saved_ms=[1.0, 1.0, 1.0])
    right = regrets(sure, choice, taken=np.array([True, False, False])).certainty(tolerance=0.001)
    assert right == Certainty(chance=1.0, expected_loss=right.expected_loss, tolerance=0.001)
    assert right.expected_loss < 1e-3
    wrong = regrets(sure, choice, taken=np.array([False, True, False]))
    assert wrong.expected == pytest.approx(0.5, abs=0.01)
    assert wrong.certainty(tolerance=0.001).chance == 0
    toss = losses_of([0.1, 0.1, 0.1], error=0.05, saved_ms=[1.0, 1.0, 1.0])
    open_ = regrets(toss, choice, taken=np.array([True, False, False])).certainty(tolerance=0.0)
    assert 0.2 < open_.chance < 0.5
    assert open_.expected_loss > 0.01


@given(SEEDS)
def test_no_choice_is_better_than_the_one_that_knows(seed: int) -> None:
    """An opportunity cost is at least 0; the decision by what is believed is about the cheapest there is."""
    rng = np.random.default_rng(seed)
    known = losses_of(rng.uniform(0, 0.1, NUM).tolist(), error=0.02, saved_ms=[1.0] * NUM)
    choice = Choice(saved_ms=(1.0,) * NUM, num=3)
    taken = choice.members(values(known, ValueRule(rule=Rule.POSTERIOR))[None])[0]
    other = np.roll(taken, int(rng.integers(1, NUM)))
    assert (regrets(known, choice, taken=taken).costs >= 0).all()
    assert regrets(known, choice, taken=taken).expected <= regrets(known, choice, taken=other).expected + 0.002


def test_milliseconds_beyond_the_target_count_for_nothing() -> None:
    """Two groups that both reach the target differ by what they lose, not by what they save."""
    known = losses_of([0.1, 0.1], error=1e-6, saved_ms=[5.0, 50.0])
    choice = Choice(saved_ms=(5.0, 50.0), num=1, needed_ms=5.0)
    assert regrets(known, choice, taken=np.array([True, False])).expected == pytest.approx(0.0, abs=1e-3)
    unmet = Choice(saved_ms=(5.0, 50.0), num=1)
    assert regrets(known, unmet, taken=np.array([True, False])).expected == pytest.approx(0.09, abs=1e-3)


@given(SEEDS)
def test_regrets_know_no_unit_of_time(seed: int) -> None:
    """Milliseconds or kiloseconds: a factor on all of them, the target's included, changes no opportunity cost."""
    rng = np.random.default_rng(seed)
    choice = choice_of(seed)
    means = rng.uniform(0, 0.1, NUM).tolist()
    taken = choice.members(rng.uniform(size=(1, NUM)))[0]
    found = regrets(losses_of(means, error=0.02, saved_ms=[*choice.saved_ms]), choice, taken=taken)
    for factor in (2.0**-10, 2.0**10):
        saved = tuple(factor * ms for ms in choice.saved_ms)
        needed = None if choice.needed_ms is None else factor * choice.needed_ms
        scaled = replace(choice, saved_ms=saved, needed_ms=needed)
        known = losses_of(means, error=0.02, saved_ms=[*saved])
        np.testing.assert_allclose(regrets(known, scaled, taken=taken).costs, found.costs, rtol=1e-12, atol=1e-15)


def test_below_the_floor_removals_are_alike_and_copies_are_not() -> None:
    known, taken = losses_of([0.01, 0.02, 0.03], error=1e-6, saved_ms=[1.0, 2.0, 4.0]), np.array([True, False, False])
    removals = Choice(saved_ms=(1.0, 2.0, 4.0), num=1)
    assert regrets(known, removals, taken=taken).expected == pytest.approx(0.01 - 0.03 / 4, rel=0.1)
    even = losses_of([0.01, 0.03, 0.08], error=1e-6, saved_ms=[1.0, 2.0, 4.0])
    assert not regrets(even, removals, taken=taken).differs.any()
    assert regrets(even, removals, taken=taken, floor=0.5).differs.any(axis=1).all(), "the largest saving is best there"
    copies = replace(removals, highest=True)
    floored, bare = (regrets(even, copies, taken=taken, floor=floor) for floor in (0.5, 0.0))
    assert np.array_equal(floored.costs, bare.costs)
    assert np.array_equal(floored.differs, bare.differs)


def test_pairs_are_renumbered_and_strangers_left_out() -> None:
    assert renumbered(frozenset({(4, 7), (7, 9)}), {4: 0, 7: 1}) == frozenset({(0, 1)})
