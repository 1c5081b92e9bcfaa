"""Scores become what a decision rests on: weighed losses of a contest's contestants, and how sure it is. Pure."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from nas.algorithms.steps import Contest, Score, Scored
from nas.values.certainty import Certainty, regrets
from nas.values.rule import Rule
from nas.values.sample import Losses
from nas.values.weighing import weighed


def weighed_losses(contest: Contest | None, outcome: Scored, /) -> dict[int, float]:
    """Losses of the contestants as the contest's rule weighs them, by index; none where the mean itself counts."""
    if contest is None or contest.value.rule is Rule.PAPER:
        return {}
    scored, free = _known(contest, outcome)
    weights = dict.fromkeys(free, 0.0 if contest.highest else contest.value.indifference)
    if scored.saved_ms:
        found = weighed(_losses(scored, outcome), contest.value, highest=contest.highest)
        weights |= dict(zip(scored.contestants, found.tolist(), strict=True))
    return weights


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
    scored, free = _known(contest, outcome)
    if not scored.saved_ms or not set(taken) <= {*scored.contestants, *free}:
        return None
    mask = np.array([index in taken for index in scored.contestants])
    spared = [index for index in taken if index in free]  # what changes nothing was rightly taken
    needed_ms = contest.needed_ms
    if needed_ms is not None:
        needed_ms -= sum(contest.saved_ms[index] for index in spared)
    choice = replace(scored, num=contest.num - len(spared), needed_ms=needed_ms).choice
    found = regrets(_losses(scored, outcome), choice, taken=mask, floor=contest.value.indifference)
    return found.certainty(tolerance=contest.value.indifference * len(taken))


def _known(contest: Contest, outcome: Scored) -> tuple[Contest, tuple[int, ...]]:
    """The contest of those that were scored, and those that need no score since they change nothing."""
    losses = {
        index: estimate.loss
        for index in contest.contestants
        if (estimate := outcome.estimates[index]) is not None and estimate.loss is not None
    }
    free = tuple(index for index, loss in losses.items() if loss.num_prompts == 0)
    saved_ms = {index: contest.saved_ms[index] for index in losses if index not in free}
    return replace(contest, saved_ms=saved_ms), free


def _losses(contest: Contest, outcome: Scored) -> Losses:
    """What is known of contestants that were all scored."""
    found = [estimate.loss for index in contest.contestants if (estimate := outcome.estimates[index]) is not None]
    return Losses.of(
        [loss for loss in found if loss is not None],
        saved_ms=[contest.saved_ms[index] for index in contest.contestants],
        distances=contest.sizes,
    )
