"""The lines of a run's side files, each a frozen value: their keys, units and files stand here and nowhere else.

A search that is killed and continued may do the same work twice: of two lines that agree in what their class calls
`key`, the last one counts.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedBlock:
    """One block of a priced architecture, in the order of the forward pass.

    Attributes:
        name: diffusers' module name, such as "down_blocks.0.resnets.1"; "rest" for what belongs to no block.
        stage: Place of its stage, such as "down.0"; "" outside of the stages.
        position: Index of its position in the base model's stage; -1 for samplers and outside of the stages.
        kind: Kind of block: "resnet", "cross_attention" and so on.
        ms: Milliseconds of one forward pass; None where the latency source prices no single blocks.
        num_params: Parameters.
    """

    name: str
    stage: str
    position: int
    kind: str
    ms: float | None
    num_params: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """What each block of an architecture costs: of the base model, of each round's own architecture, of each result.

    Attributes:
        arch_id: Digest of the architecture.
        predicted_latency_ms: Of one forward pass; blocks with milliseconds add up to it.
        blocks: In the order of the forward pass.
    """

    file: ClassVar[str] = "breakdown.jsonl"
    key: ClassVar[tuple[str, ...]] = ("arch_id",)

    arch_id: str
    predicted_latency_ms: float
    blocks: tuple[PricedBlock, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a piece of work was done, and by whom: a scoring task that a worker answered, or a training.

    What a store held already and what a checkpoint held took no time and has no line.

    Attributes:
        phase: "scoring", "screening" (by another score than the run's own), "robust training" or "recovery".
        round: Counts trainings from 0.
        worker: Who did it: "worker-0" and so on, "in process", or "driver" for a training.
        arch_id: Digest of the architecture that was scored or trained.
        action: The action that was scored, such as "-resnet[mid,0]"; None for a round's own architecture.
        chunk: Index of the chunk of prompts; None for a training, whose job it is in `job`.
        job: Index of the training among those of its round; None for a scoring.
        num_pictures: Prompts that were scored; 0 for a training and for a screening.
        start: Unix seconds, by the clock of the machine that did it.
        end: Unix seconds.
    """

    file: ClassVar[str] = "timings.jsonl"
    key: ClassVar[tuple[str, ...]] = ("phase", "round", "job", "arch_id", "action", "chunk")

    phase: str
    round: int
    worker: str
    arch_id: str
    action: str | None
    chunk: int | None
    job: int | None
    num_pictures: int
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Losses of some consecutive training steps.

    Attributes:
        round: Counts trainings from 0.
        job: Index of the training among those of its round.
        recovering: Whether no block was skipped.
        first_step: Index of the first of these steps, from 0.
        losses: Of each step: mean squared error of the prediction.
    """

    file: ClassVar[str] = "training.jsonl"
    key: ClassVar[tuple[str, ...]] = ("round", "job", "recovering", "first_step")

    round: int
    job: int
    recovering: bool
    first_step: int
    losses: tuple[float, ...]


Line = Breakdown | Timing | Losses
KINDS: tuple[type[Line], ...] = (Breakdown, Timing, Losses)
