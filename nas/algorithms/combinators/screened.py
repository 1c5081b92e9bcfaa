"""Screened: an algorithm whose contests a cheap score looks at first, so that prompts go where they can matter.

Before each contest all contestants are scored cheaply. One whose distance to the round's network is below a tolerance,
surely, is *free*: it cannot change a score, takes its place in the group without a prompt, and the largest saving goes
first. Of the others the shortlist, those with the smallest change for a millisecond, is *contested* and scored as ever;
the rest is *dropped* for this round. The inner algorithm is told estimates of the free and the contested ones, and the
distances of all. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from nas.algorithms.algorithm import Algorithm, Declaration
from nas.algorithms.problem import Problem
from nas.algorithms.settings import SQUARES, ScoringSettings, Screen
from nas.algorithms.steps import Contest, Estimate, Outcome, Score, Scored, Screening, Step, Verdict
from nas.scores.intervals import Interval

State = TypeVar("State")
PER_STEP: Final = 2  # a screening before each step of the inner algorithm, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Screens(Generic[State]):
    """Where a screened search stands: the inner algorithm's state, and what the cheap score said of its contestants."""

    inner: State
    seen: tuple[Estimate, ...] | None = None


class Screened(Generic[State]):
    """An algorithm with a screen before its contests.

    Args:
        algorithm: Whose contests.
        scoring: By what, how strictly.
        is_distance: Whether the cheap score is a distance to the round's network: only then is anything free.
    """

    def __init__(self, algorithm: Algorithm[State], /, *, scoring: ScoringSettings, is_distance: bool) -> None:
        self._inner, self._scoring = algorithm, scoring
        self._tolerance = scoring.tolerance if is_distance and scoring.screen is not Screen.ALONE else None

    @property
    def declaration(self) -> Declaration:
        """The inner algorithm's, with the score that screens."""
        inner = self._inner.declaration
        cost = f"{inner.cost}; screened by {self._scoring.by} on {self._scoring.num_prompts} prompts"
        return replace(inner, cost=cost, scores=(*inner.scores, self._scoring.by))

    @property
    def settings(self) -> Any:
        """The inner algorithm's."""
        return self._inner.settings

    def start(self, problem: Problem[Any], /) -> Screens[State]:
        """At the inner algorithm's start."""
        return Screens(inner=self._inner.start(problem))

    def max_steps(self, problem: Problem[Any], /) -> int:
        """A screening before each of the inner algorithm's steps."""
        return PER_STEP * self._inner.max_steps(problem)

    def step(self, state: Screens[State], /) -> Step:
        """The inner algorithm's step; a contest is screened first, and smaller then."""
        step = self._inner.step(state.inner)
        if not (isinstance(step, Score) and step.is_plain and step.reference and step.contest):
            return step
        contestants = sorted(step.contest.saved_ms)
        if not contestants:
            return step
        if state.seen is None:
            return replace(
                step,
                subjects=tuple(step.subjects[index] for index in contestants),
                contest=None,
                by=self._scoring.by,
                num_prompts=self._scoring.num_prompts,
                num_refused=0,  # which the contest itself counts
            )
        return self._reduced(step, step.contest, dict(zip(contestants, state.seen, strict=True)))

    def told(self, state: Screens[State], step: Step, outcome: Outcome, /) -> Screens[State]:
        """What the screen said is kept for the next step; everything else is told to the inner algorithm."""
        if not (isinstance(step, Score) and isinstance(outcome, Scored)):
            return Screens(inner=self._inner.told(state.inner, step, outcome))
        if state.seen is None and step.by == self._scoring.by:
            assert all(estimate is not None for estimate in outcome.estimates), "nobody is left out of a screening"
            return replace(state, seen=tuple(estimate for estimate in outcome.estimates if estimate is not None))
        if (screening := step.screening) is not None and state.seen is not None:
            outcome = self._whole(screening, outcome, state.seen)
            # As the inner algorithm asked for it; what the cheap score decides alone is in no unit of the contest's.
            contest = None if self._scoring.screen is Screen.ALONE else screening.contest
            step = replace(step, screening=None, contest=contest)
        return Screens(inner=self._inner.told(state.inner, step, outcome))

    def _reduced(self, step: Score, contest: Contest, seen: Mapping[int, Estimate]) -> Score:
        """The step with a contest of those whom prompts can tell apart."""
        losses = {index: _loss(estimate) for index, estimate in seen.items()}
        if self._tolerance is not None and self._scoring.by in SQUARES:
            contest = replace(contest, distances={index: max(loss.mean, 0.0) ** 0.5 for index, loss in losses.items()})

        def change(index: int) -> tuple[float, int]:
            value = losses[index].mean / contest.saved_ms[index]
            return (-value if contest.highest else value), index

        free = sorted(
            (index for index, loss in losses.items() if self._tolerance is not None and loss.high < self._tolerance),
            key=lambda index: (-contest.saved_ms[index], index),
        )
        places = contest.num if contest.highest else contest.num - len(free)
        rivals = sorted((index for index in losses if index not in free), key=change)
        if self._scoring.screen is Screen.ALONE or places <= 0:
            contested = []
        elif self._scoring.screen is Screen.SHORTLIST:
            contested = rivals[: max(self._scoring.shortlist, places)]
        else:
            contested = rivals
        saved_ms = {index: contest.saved_ms[index] for index in sorted(contested)}
        needed_ms = contest.needed_ms
        if needed_ms is not None:
            needed_ms -= sum(contest.saved_ms[index] for index in free)
        return replace(
            step,
            contest=replace(contest, saved_ms=saved_ms, num=places, needed_ms=needed_ms) if saved_ms else None,
            decision=None,  # it went with the screening
            screening=Screening(
                by=self._scoring.by,
                contest=contest,
                changes={index: loss.mean for index, loss in losses.items()},
                free=tuple(free),
                contested=tuple(sorted(contested)),
            ),
        )

    def _whole(self, screening: Screening, outcome: Scored, seen: tuple[Estimate, ...]) -> Scored:
        """An outcome with what is known of those that got no prompt."""
        assert outcome.reference is not None
        estimates, reference = list(outcome.estimates), outcome.reference.score
        for index, cheap in zip(sorted(screening.changes), seen, strict=True):
            if self._scoring.screen is Screen.ALONE:
                estimates[index] = cheap
            elif index in screening.free:
                nothing = Interval(mean=0.0, low=0.0, high=0.0, num_prompts=0, confidence=reference.confidence)
                estimates[index] = Estimate(score=replace(reference, num_prompts=0), loss=nothing)
        verdict = outcome.verdict
        if screening.free and not screening.contest.highest:
            chosen = screening.free + (verdict.chosen if verdict is not None else ())
            verdict = replace(verdict or Verdict(chosen=()), chosen=chosen)
        return replace(outcome, estimates=tuple(estimates), verdict=verdict, changes=screening.changes)


def _loss(estimate: Estimate) -> Interval:
    """What the cheap score says that an action changes."""
    assert estimate.loss is not None, "a screening has a reference"
    return estimate.loss
