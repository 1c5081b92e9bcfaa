"""What a report counts and measures: scores with their intervals, milliseconds, parameters, pictures."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from nas.scores.labels import score_label

State: TypeAlias = Literal["finished", "running", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLabel:
    """The score that a search was by.

    Attributes:
        name: As its columns have it, such as "clip".
        higher_is_better: Its direction.
    """

    name: str = "clip"
    higher_is_better: bool = True

    @property
    def words(self) -> str:
        """As people write it."""
        return score_label(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Latency as an export measured it on its own machine, found and base in interleaved rounds.

    Attributes:
        form: Of the export, such as "diffusers".
        latency_ms: Of the found UNet.
        base_latency_ms: Of the base.
    """

    form: str
    latency_ms: float
    base_latency_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a search cost so far.

    Attributes:
        num_pictures: Generated and judged.
        num_training_steps: Of robust and recovery training.
        seconds: Of training and scoring, as their events say it.
        num_passes: UNet passes of other scores than the run's own, what workers prepared for them included.
    """

    num_pictures: int
    num_training_steps: int
    seconds: float
    num_passes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The figures of the story; None where the run does not know them yet.

    Attributes:
        base_latency_ms: Predicted for the base model.
        target_latency_ms: The objective.
        latency_ms: Predicted for what was found, or for the last round's architecture.
        base_num_params: Of the base.
        num_params: Of what was found.
        base_score: Of the search's start, in its first round.
        score: Of what was found.
        difference: Found minus base, paired prompt by prompt.
        num_prompts: That both were scored on.
        confidence: Of all intervals.
        num_removable: Blocks that could have been removed: those scored in the first round.
        num_blocks: Blocks of the base.
        num_gone: Blocks of the base that are gone.
        num_copied: Copies that were added.
        measured: By the export, where there is one.
        held_out: The score on captions that took no part in the search, where the spec holds it.
        base_held_out: The base's.
        held_out_difference: Found minus base on these captions, paired.
        num_held_out: How many they are.
        origin: What the search began with: "base", or "start" where that was another architecture.
        is_start: Whether it ended where it began.
        spent: What it cost.
        target_met: None while that is open.
    """

    base_latency_ms: float | None = None
    target_latency_ms: float | None = None
    latency_ms: float | None = None
    base_num_params: int | None = None
    num_params: int | None = None
    base_score: Estimate | None = None
    score: Estimate | None = None
    difference: Estimate | None = None
    num_prompts: int | None = None
    confidence: float = 0.95
    num_removable: int = 0
    num_blocks: int = 0
    num_gone: int = 0
    num_copied: int = 0
    measured: Measured | None = None
    held_out: Estimate | None = None
    base_held_out: Estimate | None = None
    held_out_difference: Estimate | None = None
    num_held_out: int | None = None
    origin: str = "base"
    is_start: bool = False
    spent: Spent | None = None
    target_met: bool | None = None

    @property
    def surest(self) -> tuple[Estimate | None, str]:
        """Found minus base where it is least flattered, and what it was judged on."""
        if self.held_out_difference is not None and self.num_held_out:
            return self.held_out_difference, f"{self.num_held_out:,} held-out captions"
        num = self.num_prompts or 0
        return self.difference, f"{num:,} prompt{'' if num == 1 else 's'}"

    @property
    def saved(self) -> float | None:
        """Share of the base's predicted milliseconds that is saved; None where the base takes no time."""
        if not self.base_latency_ms or self.latency_ms is None:
            return None
        return 1 - self.latency_ms / self.base_latency_ms
