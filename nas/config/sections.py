"""One experiment: a strict, frozen model read from YAML; unknown keys and wrong types are errors, all at once.

Paths are relative to the file that names them. Overrides come as `key=value` with dotted keys.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nas.pipelines.sampling import SamplingProtocol


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ScoreConfig(_Section):
    """What architectures are scored by; see docs/scores.md."""

    name: str = Field("clip", description="clip, output_change, or the score of a plugin (entry points nas.scores)")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="the score's own; those of clip stand in the section `clip`"
    )

    @model_validator(mode="after")
    def _clip_has_a_section(self) -> Self:
        if self.name == "clip" and self.settings:
            raise ValueError("`settings` of the score clip stand in the section `clip`; move them there")
        return self


class ClipConfig(_Section):
    """The judge of the score `clip`."""

    model: str = Field(description="OpenCLIP folder (with open_clip_config.json), or a model name such as ViT-g-14")
    pretrained: str | None = Field(None, description="OpenCLIP's tag of the weights; with a model name only")


class ValidationConfig(_Section):
    """The prompts that every architecture is scored on."""

    captions: Path = Field(description="text file, one caption a line", strict=False)
    num_prompts: int = Field(24, ge=2, description="the first so many captions")
    chunk_size: int = Field(8, ge=1, description="prompts per batch and task; part of the protocol")
    confidence: float = Field(0.95, gt=0, lt=1, description="of the intervals around scores")


class SamplingConfig(_Section):
    """How pictures are made."""

    num_steps: int = Field(8, ge=1, description="denoising steps")
    guidance_scale: float = Field(7.5, ge=1, description="classifier-free guidance; 1 = none", strict=False)
    scheduler: str = Field("DDIMScheduler", description="a deterministic diffusers scheduler")

    def protocol(self) -> SamplingProtocol:
        """The same as a value."""
        return SamplingProtocol(num_steps=self.num_steps, guidance_scale=self.guidance_scale, scheduler=self.scheduler)


class ExecutionConfig(_Section):
    """Where and how UNet, VAE and CLIP compute; part of the protocol. See `nas.pipelines.execution.Execution`."""

    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu, cuda or cuda:1")
    precision: Literal["float32", "bfloat16", "float16"] = Field("float32", description="of matrix products")
    channels_last: bool = Field(False, description="memory format of feature maps; GPUs like it")
    compile_blocks: bool = Field(False, description="torch.compile each block once; pays on long searches")


class RacingConfig(_Section):
    """How soon an action gets no more prompts; see docs/racing.md."""

    enabled: bool = Field(True, description="false = exhaustive, as always in the stock space")
    confidence: float = Field(0.95, gt=0, lt=1, description="of a round's whole decision")
    min_prompts: int = Field(16, ge=2, description="prompts before the first look")
    indifference: float = Field(0.0, ge=0, description="CLIP score that a wrong choice may cost", strict=False)


class RobustTrainingConfig(_Section):
    """Training before each round; `iterations: 0` turns it off."""

    pictures: Path | None = Field(None, description="folder of captioned pictures (metadata.jsonl)", strict=False)
    iterations: int = Field(0, ge=0, description="training steps per round")
    recovery_iterations: int = Field(0, ge=0, description="steps without skipping once the target is met")
    drop_probability: float = Field(0.1, ge=0, lt=1, description="chance of each block to be skipped in a step")
    drop_probability_by_stage: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(
        default_factory=dict, description='other chances for a kind and stage, such as {"cross_attention[down.0]": 0.5}'
    )
    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(1e-4, gt=0, strict=False, description="peak of AdamW's rate; YAML reads 1e-4 as text")

    @model_validator(mode="after")
    def _needs_pictures(self) -> Self:
        if self.pictures is None and (self.iterations or self.recovery_iterations):
            raise ValueError("`pictures` must name a folder of captioned pictures when there are training iterations")
        return self


class SearchConfig(_Section):
    """Algorithm 1 and its open points; see `nas.algorithms.evolving.EvolvingSettings`."""

    space: Literal["any", "stock"] = Field(
        "any", description="any architecture, or what a stock diffusers config builds"
    )
    start: str | None = Field(None, description="a run, spec, export, stock folder or known name; none = the model")
    target_latency_ms: float | None = Field(None, gt=0, description="milliseconds per UNet forward pass", strict=False)
    target_ratio: float | None = Field(None, gt=0, lt=1, description="or: as a share of the base model's latency")
    removals_per_round: int = Field(4, ge=1, description="size of a group of A-")
    max_copies: int = Field(1, ge=0, description="A+ to execute in all")
    max_copies_per_block: int = Field(2, ge=0, description="copies that one block may get")
    copy_start: Literal["neutral", "same"] = Field("neutral", description="how a copy's weights start")
    overshoot: bool = Field(False, description="may an A+ lift the latency above the target for a while?")
    keep_copies: bool = Field(True, description="is a copied block safe from removal?")
    max_rounds: int = Field(20, ge=1, description="bound on rounds")
    protected: tuple[str, ...] = Field((), description='blocks that stay, such as "resnet[mid,0]"', strict=False)

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.target_latency_ms is None) == (self.target_ratio is None):
            raise ValueError("give exactly one of `target_latency_ms` and `target_ratio`")
        return self


class WorkersConfig(_Section):
    """Who scores; never changes a result."""

    num_workers: int = Field(1, ge=1, description="1 = in this process; more = Ray actors")
    address: str | None = Field(None, description="address of a Ray cluster; none = this machine")
    cpus_per_worker: float = Field(1, gt=0, description="processors that Ray sets aside for each", strict=False)
    gpus_per_worker: float = Field(0, ge=0, description="GPUs, or shares of one, for each", strict=False)
    placement: Literal["pack", "spread"] = Field("pack", description="fill one machine first, or use all evenly")
    max_attempts: int = Field(3, ge=1, description="a task that fails so often ends the search")
    start_timeout_s: float = Field(300, gt=0, description="a worker must have loaded its models by then", strict=False)


class ExperimentConfig(_Section):
    """One search."""

    model: Path = Field(description="pipeline folder, or hub:ORG/NAME[@REVISION]; docs/checkpoints.md", strict=False)
    score: ScoreConfig = ScoreConfig()
    clip: ClipConfig | None = Field(None, description="needed by the score clip alone", validate_default=True)
    latency_table: Path = Field(description="latency table of the target device", strict=False)
    validation: ValidationConfig
    sampling: SamplingConfig = SamplingConfig()
    robust_training: RobustTrainingConfig = RobustTrainingConfig()
    search: SearchConfig
    racing: RacingConfig = RacingConfig()
    execution: ExecutionConfig = ExecutionConfig()
    workers: WorkersConfig = WorkersConfig()
    score_store: Path | None = Field(None, description="folder shared by runs; none = the run's own", strict=False)
    num_threads: int = Field(1, ge=1, description="threads per worker; part of the protocol")
    model_variant: str | None = Field(None, description="of the model's weight files, such as fp16; none = plain ones")
    seed: int = Field(0, ge=0)

    @field_validator("clip", mode="before")
    @classmethod
    def _needed_by_its_score(cls, clip: object, info: ValidationInfo) -> object:
        score = info.data.get("score")  # none when it is wrong itself
        if clip is None and score is not None and score.name == "clip":
            raise PydanticCustomError("missing", "Field required")
        return clip

    def identity(self) -> dict[str, Any]:
        """The config as plain values, without what never changes a result."""
        plain = self.model_dump(mode="json", exclude={"workers", "score_store"})
        if self.model_variant is None:  # as in runs that knew no variants
            del plain["model_variant"]
        if self.search.space == "any":  # nor another space
            del plain["search"]["space"]
        if self.score == ScoreConfig():  # nor another score
            del plain["score"]
        if self.clip is None:
            del plain["clip"]
        if self.search.start is None:
            del plain["search"]["start"]
        return plain
