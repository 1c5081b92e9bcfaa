"""Searches without a model: a price is multiply-accumulates, a score is made up from the architecture's digest."""

import hashlib
from typing import Any, Final

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.checking import check
from nas.algorithms.problem import Problem
from nas.algorithms.steps import FIRST, Estimate, Finish, Outcome, Score, Scored, Step, Train, Trained, Verdict
from nas.scores.intervals import Interval

SMALL_UNET: Final[dict[str, Any]] = {
    "sample_size": 8,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 8,
    "norm_num_groups": 4,
}
NUM_PROMPTS: Final = 16
Transcript = list[tuple[Step, Outcome | None]]


class MacsMs:
    """A price that every space has: a millisecond per million multiply-accumulates."""

    def __init__(self, space: Any, /) -> None:
        self._space = space
        self._known: dict[Any, float] = {}

    def __call__(self, architecture: Any, /) -> float:
        """Milliseconds of an architecture."""
        if architecture not in self._known:
            self._known[architecture] = float(self._space.num_macs(architecture)) / 1e6
        return self._known[architecture]


def play(
    algorithm: Algorithm[Any],
    problem: Problem[Any],
    /,
    *,
    raced: bool = False,
    salt: str = "",
    state: Any = None,
    first: int = 0,
) -> Transcript:
    """The steps of a search with made-up outcomes; the last one is `Finish`, without an outcome.

    Args:
        algorithm: The algorithm.
        problem: What it is given.
        raced: Decide contests by a verdict.
        salt: Another one gives other scores.
        state: Where the search stands; None = at its start.
        first: Number of its first step.
    """
    state, transcript = algorithm.start(problem) if state is None else state, Transcript()
    for number in range(first, first + algorithm.max_steps(problem)):
        step = algorithm.step(state)
        if isinstance(step, Finish):
            return [*transcript, (step, None)]
        outcome = made_up(step, number=number, raced=raced, salt=salt)
        check(step, outcome)
        transcript.append((step, outcome))
        state = algorithm.told(state, step, outcome)
    raise AssertionError(f"no `Finish` within the {algorithm.max_steps(problem)} steps of `max_steps`")


def made_up(step: Step, /, *, number: int, raced: bool = False, salt: str = "") -> Outcome:
    """An outcome by the content of its step.

    Args:
        step: A training or a scoring.
        number: Of the step; digests of weights hold it.
        raced: Decide a contest by a verdict, and give only the chosen all prompts.
        salt: Another one gives other scores.
    """
    if isinstance(step, Train):
        return Trained(  # a job of no steps gives the weights that it was given
            digests=tuple(
                job.parent if job.share == 0 and job.parent != FIRST else f"{salt}w{number}.{index}"
                for index, job in enumerate(step.jobs)
            )
        )
    assert isinstance(step, Score), "`Finish` has no outcome but an extension"
    before = None if step.reference is None else _score(step.reference.architecture, salt)
    scores = [_score(subject.architecture, salt) for subject in step.subjects]
    verdict = None
    if raced and step.contest is not None and before is not None:
        contest, sign = step.contest, -1 if step.contest.highest else 1
        order = sorted(contest.saved_ms, key=lambda i: sign * (before - scores[i]) / contest.saved_ms[i])
        verdict = Verdict(chosen=tuple(order[: contest.num]))
    return Scored(
        reference=None if before is None else Estimate(score=_interval(before)),
        estimates=tuple(
            Estimate(
                score=_interval(score, few=verdict is not None and index not in verdict.chosen),
                loss=None if before is None else _interval(before - score),
            )
            if index in step.scored
            else None
            for index, score in enumerate(scores)
        ),
        verdict=verdict,
    )


def _score(architecture: Any, salt: str) -> float:
    digest = hashlib.sha256(f"{salt}|{architecture.arch_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def _interval(mean: float, *, few: bool = False) -> Interval:
    num_prompts = NUM_PROMPTS // 2 if few else NUM_PROMPTS
    return Interval(mean=mean, low=mean - 0.1, high=mean + 0.1, num_prompts=num_prompts, confidence=0.95)
