"""Scores become what a decision rests on: weighed losses of a contest's contestants, and how sure it is. Pure."""

from collections.abc import Collection

import numpy as np

from nas.algorithms.steps import Contest, Score, Scored
from nas.values.certainty import Certainty, regrets
from nas.values.rule import Rule
from nas.values.sample import Losses
from nas.values.weighing import weighed


def weighed_losses(contest: Contest | None, outcome: Scored, /) -> dict[int, float]:
    """Losses of the contestants as the contest's rule weighs them, by index; none where the mean itself counts."""
    if contest is None or contest.value.rule is Rule.PAPER or (known := _losses(contest, outcome)) is None:
        return {}
    return dict(zip(contest.contestants, weighed(known, contest.value, highest=contest.highest).tolist(), strict=True))


def certainty_of(step: Score, outcome: Scored, /, *, taken: Collection[int]) -> Certainty | None:
    """How sure the choice of some subjects is; None where none was chosen, or one that was no contestant.

    Args:
        step: What was asked.
        outcome: What came of it.
        taken: Indices of the subjects.
    """
    contest = step.contest
    if contest is None or not taken or not set(taken) <= set(contest.contestants):
        return None
    if (known := _losses(contest, outcome)) is None:
        return None
    mask = np.array([index in taken for index in contest.contestants])
    found = regrets(known, contest.choice, taken=mask, floor=contest.value.indifference)
    return found.certainty(tolerance=contest.value.indifference * len(taken))


def _losses(contest: Contest, outcome: Scored) -> Losses | None:
    """What is known of the contestants; None unless all of them have losses."""
    estimates = [outcome.estimates[index] for index in contest.contestants]
    losses = [estimate.loss for estimate in estimates if estimate is not None and estimate.loss is not None]
    if not losses or len(losses) < len(contest.contestants):
        return None
    saved_ms = [contest.saved_ms[index] for index in contest.contestants]
    return Losses.of(losses, saved_ms=saved_ms, distances=contest.sizes)
