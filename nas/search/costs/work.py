"""Work, counted: pictures, training steps and UNet passes, those by which workers prepare for a score included."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from nas.algorithms.steps import Score
from nas.evaluation.door import Declaration, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a search does: rounds, pictures made and scored, training steps.

    Attributes:
        num_rounds: Trainings, those without a step included.
        num_pictures: Made and scored by the run's own score.
        num_training_steps: Forward and backward passes of a batch.
        num_passes: UNet passes for other scores.
    """

    num_rounds: int
    num_pictures: int
    num_training_steps: int
    num_passes: int = 0


class Amounts(Protocol):
    """What takes time: of a whole search, or of what is done of it; see `Work`."""

    @property
    def num_pictures(self) -> int:
        """See above."""

    @property
    def num_training_steps(self) -> int:
        """See above."""

    @property
    def num_passes(self) -> int:
        """See above."""


class Preparing:
    """UNet passes by which one worker prepares for scores beside the run's own, step after step.

    A score starts once for so many prompts. One that refers to a round's network takes each step's for it, the first
    one's too: what it started with is the base model in the model's weights.

    Args:
        others: What these scores say of themselves, by name.
        num_prompts: Prompts that decide.
    """

    def __init__(self, others: Mapping[str, Declaration], /, *, num_prompts: int) -> None:
        self._others, self._num_prompts = others, num_prompts
        self._started = set[tuple[str, int]]()

    def passes(self, step: Score, /) -> int:
        """What a step takes before its first number; of the run's own score nothing is said."""
        if step.by not in self._others:
            return 0
        declared = self._others[step.by]
        num = self._num_prompts if step.num_prompts is None else min(step.num_prompts, self._num_prompts)
        each = declared.passes_to_refer if declared.reference is Reference.ROUND else 0
        if (step.by, num) not in self._started:
            self._started.add((step.by, num))
            each += declared.passes_to_start
        return each * num
