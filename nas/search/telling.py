"""What a search has done so far, counted, and told to those who watch it."""

from collections.abc import Callable, Mapping
from typing import Any

from nas.algorithms.problem import Problem
from nas.algorithms.steps import Decision, Score, Scored, Train
from nas.evaluation.door import Declaration
from nas.scores.intervals import Interval
from nas.search.bookkeeping import SCORING, SCREENING
from nas.search.costs.work import Preparing
from nas.search.progress import Listeners, Progress, RoundDone


class Teller:
    """Counts work, whether it is done now or found done, and tells it.

    Args:
        listeners: Who is told.
        others: What the scores beside the run's own say of themselves, by name.
        num_prompts: Prompts that decide.
        num_workers: Each of which prepares for such a score itself.
    """

    def __init__(
        self, listeners: Listeners, /, *, others: Mapping[str, Declaration], num_prompts: int, num_workers: int
    ) -> None:
        self._listeners, self._others, self._num_workers = listeners, others, num_workers
        self._preparing = Preparing(others, num_prompts=num_prompts)
        self._latest: Interval | None = None  # score of the last reference
        self._latest_ms = 0.0  # its latency
        self._num_pictures = self._num_training_steps = self._num_passes = 0
        self._counted: dict[Any, int] = {}  # prompts that each subject was scored on, by what score

    def reporter(
        self, phase: str, step: Train | Score, /, *, architecture: Any, problem: Problem[Any], of_piece: float = 0.0
    ) -> Callable[[int, int], None]:
        """What a phase calls with (pieces done, pieces in all).

        Args:
            phase: As `Progress` has it.
            step: What is done.
            architecture: Whose latency is told.
            problem: What is searched.
            of_piece: Pictures that a piece of scoring makes, or UNet passes of one of screening.
        """
        latency_ms, is_training = problem.price_ms(architecture), isinstance(step, Train)

        def report(done: int, total: int) -> None:
            progress = Progress(
                phase=phase,
                round=step.round,
                done=done,
                total=total,
                latency_ms=latency_ms,
                target_latency_ms=problem.target_latency_ms,
                clip=None if self._latest is None else self._latest.mean,
                num_pictures=self._num_pictures + round((phase == SCORING) * done * of_piece),
                num_training_steps=self._num_training_steps + is_training * done,
                num_passes=self._num_passes + round((phase == SCREENING) * done * of_piece),
            )
            self._listeners.on_progress(progress)

        return report

    def trained(self, num_steps: int, /) -> None:
        """A training is done."""
        self._num_training_steps += num_steps

    def scored(self, step: Score, outcome: Scored, /, *, refers: bool) -> None:
        """A step is scored by the run's own score; see `screened`."""
        self._num_pictures += self._num_new(step, outcome, refers)

    def screened(self, step: Score, outcome: Scored, /, *, refers: bool) -> int:
        """A step is scored by another score than the run's own.

        Args:
            step: What was asked.
            outcome: What came of it.
            refers: Whether the score is a distance to the step's reference, so that another one makes it another score.

        Returns:
            UNet passes that it took, what workers prepared for it included.
        """
        num_scored = self._num_new(step, outcome, refers)
        prepared = self._num_workers * self._preparing.passes(step)
        num_passes = self._others[step.by].passes_per_prompt * num_scored + prepared
        self._num_passes += num_passes
        return num_passes

    def referred(self, score: Interval, /, *, latency_ms: float) -> None:
        """A round's reference has its score; the next reports tell it."""
        self._latest, self._latest_ms = score, latency_ms

    def round_done(self, decision: Decision, /) -> None:
        """Say that a round is over."""
        self._listeners.on_round(
            RoundDone(
                round=decision.round,
                latency_ms=self._latest_ms,
                score=self._latest,
                actions=tuple(map(str, decision.actions)),
                stop=None if decision.stop is None else str(decision.stop),
                notes=decision.notes,
            )
        )

    def _num_new(self, step: Score, outcome: Scored, refers: bool) -> int:
        """Prompts that a step's subjects were scored on and that no earlier step had scored them on."""
        subjects = (step.reference, *step.subjects)
        against = step.reference.architecture if refers and step.reference is not None else None
        num_new = 0
        for subject, estimate in zip(subjects, (outcome.reference, *outcome.estimates), strict=True):
            if subject is not None and estimate is not None:
                key = (subject.architecture, subject.weights, step.by, step.prompts, against)
                num, before = estimate.score.num_prompts, self._counted.get(key, 0)
                num_new += max(num - before, 0)
                self._counted[key] = max(num, before)
        return num_new
