"""What a round's decision rests on: contests that exclude, weighed losses, and how sure the decision says it is."""

from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.deciding import certainty_of, weighed_losses
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.proposal import candidates, contest
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Estimate, Score, Scored, Trained
from nas.scores.intervals import Interval
from nas.testing.playing import MacsMs, play
from nas.values.rule import Rule
from search_spaces.actions import Sign
from search_spaces.known.architectures import SD15_CONFIG
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.stock_space import SpaceForm

STOCK = space_from_config(SD15_CONFIG, form=SpaceForm.STOCK)
ANY = space_from_config(SD15_CONFIG)


def problem(space: Any = ANY, *, ratio: float = 0.6, **settings: Any) -> Problem[EvolvingSettings]:
    price_ms = MacsMs(space)
    return Problem(
        space=space,
        price_ms=price_ms,
        target_latency_ms=ratio * price_ms(space.base),
        settings=EvolvingSettings(**settings),
    )


def scored(means: dict[int, float], *, step: Score, half: float = 0.002) -> Scored:
    """An outcome in which some subjects lose something, and all others 0.1."""

    def estimate(mean: float) -> Estimate:
        interval = Interval(mean=mean, low=mean - half, high=mean + half, num_prompts=20, confidence=0.95)
        return Estimate(score=interval, loss=interval)

    return Scored(
        reference=Estimate(score=estimate(0.8).score),
        estimates=tuple(estimate(means.get(index, 0.1)) for index in range(len(step.subjects))),
    )


def first_scoring(given: Problem[EvolvingSettings]) -> tuple[ArchitectureEvolving, Any, Score]:
    algorithm = ArchitectureEvolving(given.settings)
    state = algorithm.start(given)
    state = algorithm.told(state, algorithm.step(state), Trained(digests=("w",)))
    step = algorithm.step(state)
    assert isinstance(step, Score)
    return algorithm, state, step


def test_a_contest_in_the_stock_space_says_which_removals_exclude_each_other() -> None:
    given = problem(STOCK)
    options = candidates(given, STOCK.base)
    asked = contest(given, STOCK.base, options=options)
    assert asked.excludes
    for one in asked.contestants:
        after = options[one].apply(STOCK.base)
        for other in asked.contestants:
            if other != one and STOCK.why_not(options[other], architecture=after) is not None:
                assert {(one, other), (other, one)} & asked.excludes
    assert not contest(problem(), ANY.base, options=candidates(problem(), ANY.base)).excludes


def test_what_costs_about_nothing_goes_by_what_it_saves() -> None:
    """Whatever the luck of the harmless: those that save most are executed, and `paper` executes the luckiest."""
    for rule in Rule:
        given = problem(value=rule, removals_per_round=2)
        algorithm, state, step = first_scoring(given)
        assert step.contest is not None
        largest = sorted(step.contest.saved_ms, key=lambda i: -step.contest.saved_ms[i])[:4]
        lucky = dict(zip(largest, (3e-5, 2e-5, -3e-5, -1e-4), strict=True))
        decision = algorithm.step(algorithm.told(state, step, scored(lucky, step=step, half=1e-4))).decision
        assert decision is not None
        taken = [next(i for i, s in enumerate(step.subjects) if s.action == action) for action in decision.actions]
        by_saving = sorted(largest, key=lambda i: (-step.contest.saved_ms[i], i))
        expected = largest[:1:-1] if rule is Rule.PAPER else by_saving[:2]
        assert set(taken) == set(expected)


def test_a_decision_says_how_sure_it_is() -> None:
    given = problem(removals_per_round=2)
    algorithm, state, step = first_scoring(given)
    assert step.contest is not None
    chosen = sorted(step.contest.saved_ms, key=lambda i: -step.contest.saved_ms[i])[:2]
    sure = algorithm.step(algorithm.told(state, step, scored(dict.fromkeys(chosen, 1e-6), step=step))).decision
    toss = algorithm.step(algorithm.told(state, step, scored({}, step=step, half=0.1))).decision
    assert sure is not None
    assert toss is not None
    assert sure.certainty is not None
    assert toss.certainty is not None
    assert sure.certainty.chance > 0.99 > toss.certainty.chance
    assert sure.certainty.expected_loss < 1e-3 < toss.certainty.expected_loss
    assert sure.certainty.tolerance == pytest.approx(2 * given.settings.indifference)


def test_who_was_no_contestant_has_no_certainty_and_the_paper_s_rule_no_weights() -> None:
    _, _, step = first_scoring(problem())
    outcome = scored({}, step=step)
    assert certainty_of(step, outcome, taken=[]) is None
    assert certainty_of(step, outcome, taken=[len(step.subjects)]) is None
    assert certainty_of(replace(step, contest=None), outcome, taken=[0]) is None
    assert weighed_losses(None, outcome) == {}
    _, _, literal = first_scoring(problem(value=Rule.PAPER))
    assert weighed_losses(literal.contest, scored({}, step=literal)) == {}
    missing = replace(outcome, estimates=(None, *outcome.estimates[1:]))
    assert step.contest is not None
    assert set(weighed_losses(step.contest, missing)) == set(step.contest.contestants) - {0}


def test_what_provably_changes_nothing_is_weighed_as_nothing_and_taken_rightly() -> None:
    """As a screen tells it: a loss of 0 that no prompt was spent on, and others that have no estimate at all."""
    given = problem(removals_per_round=2)
    _, _, step = first_scoring(given)
    assert step.contest is not None
    outcome = scored({1: 1e-6}, step=step)
    nothing = Interval(mean=0.0, low=0.0, high=0.0, num_prompts=0, confidence=0.95)
    free = Estimate(score=nothing, loss=nothing)
    told = replace(outcome, estimates=(free, *outcome.estimates[1:6], *[None] * (len(step.subjects) - 6)))
    weights = weighed_losses(step.contest, told)
    assert weights[0] == weights[1] == given.settings.indifference
    assert set(weights) == set(range(6))
    certain = certainty_of(step, told, taken=[0, 1])
    assert certain is not None
    assert certain.chance > 0.99
    saved_ms = step.contest.saved_ms
    ends_early = replace(step, contest=replace(step.contest, num=3, needed_ms=saved_ms[0] + saved_ms[1] / 2))
    enough, too_many = (certainty_of(ends_early, told, taken=taken) for taken in ([0, 1], [0, 1, 2]))
    assert enough is not None
    assert too_many is not None
    assert enough.chance > 0.99 > 0.01 > too_many.chance, "what the free one saves is no longer needed"
    only = replace(outcome, estimates=(free, *[None] * (len(step.subjects) - 1)))
    assert weighed_losses(step.contest, only) == {0: given.settings.indifference}
    assert certainty_of(step, only, taken=[0]) is None


def test_nothing_is_copied_that_is_not_surely_worth_anything() -> None:
    given = problem(ratio=2.0, overshoot=True, value=Rule.UPPER_BOUND)
    algorithm, state, step = first_scoring(given)
    assert step.contest is not None
    assert step.contest.highest
    best = step.contest.contestants[0]
    for half, copies in ((0.5, False), (0.001, True)):
        outcome = scored({best: 0.05} | dict.fromkeys(step.contest.contestants[1:], 0.0), step=step, half=half)
        decision = algorithm.step(algorithm.told(state, step, outcome)).decision
        assert decision is not None
        assert [a.sign for a in decision.actions] == [Sign.COPY] * copies


def test_decisions_of_a_search_carry_their_certainty() -> None:
    steps = [step for step, _ in play(ArchitectureEvolving(problem().settings), problem(max_copies=0))]
    decisions = [step.decision for step in steps if step.decision is not None]
    assert all(0 <= d.certainty.chance <= 1 for d in decisions if d.actions and d.certainty is not None)
    assert all((d.certainty is None) == (not d.actions) for d in decisions)
