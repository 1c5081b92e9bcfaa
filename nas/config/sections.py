"""One experiment: the settings of every room as sections of a YAML file.

A section is the frozen value that its room takes; see `nas.settings` and docs/settings.md. Paths are relative to the
file that names them, those of `key=value` overrides to the folder that the command runs in.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nas.algorithms.settings import EVOLVING, EvolvingSettings, LimitSettings, ScoringSettings
from nas.config.identity.covered import identity, without_result_free
from nas.drawing.settings import PictureSettings
from nas.evaluation.settings import CLIP, ClipSettings, ScoreSettings
from nas.pipelines.computing.execution import Execution
from nas.pipelines.protocol import SamplingProtocol
from nas.racing.settings import RacingSettings
from nas.scores.prompts import ValidationSettings
from nas.settings import described, plain, settings
from nas.training.settings import RobustTrainingSettings
from nas.workers.settings import WorkerSettings
from search_spaces.actions import CopyStart
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import DEFAULT_MAX_COPIES
from search_spaces.unets.stock_space import SpaceForm

FASTEST: Final = "fastest"  # the target that no architecture undercuts
MAX_TRAINING_SEED: Final = 2**32 - 1  # every step of every round has a seed made of it, which must fit 63 bits


@settings
class SearchConfig(EvolvingSettings):
    """What is searched, and by which algorithm; one of `target_latency_ms`, `target_ratio` and `targets` must be given.

    Where `limits` has a most of something, the target may be left out: then a result is as quick as the base model.
    The settings of Algorithm 1 stand here themselves, those of another algorithm in `settings`.
    """

    algorithm: Annotated[
        str,
        Field(
            description="evolving (Algorithm 1), another of docs/algorithms.md, or a plugin's; `nas plugins` lists all"
        ),
    ] = EVOLVING
    settings: Annotated[Mapping[str, Any], Field(description="of another algorithm than evolving")] = field(
        default_factory=dict
    )
    space: Annotated[SpaceForm, Field(description="any architecture, or what a stock diffusers config builds")] = (
        SpaceForm.ANY
    )
    start: Annotated[
        str | None, Field(description="a run, spec, export, stock folder or known name; null = the model")
    ] = None
    target_latency_ms: Annotated[float | None, Field(gt=0, description="milliseconds per UNet forward pass")] = None
    target_ratio: Annotated[
        float | None, Field(gt=0, lt=1, description="or: as a share of the base model's latency")
    ] = None
    targets: Annotated[
        tuple[float | Literal["fastest"], ...],
        Field(description="or: several, each below 1 a share, else milliseconds, or the word fastest, for the least"),
    ] = ()
    devices: Annotated[
        tuple[str, ...], Field(description="latency tables of further devices, which get a search of their own each")
    ] = ()
    limits: LimitSettings = LimitSettings()
    max_copies_per_block: Annotated[int, Field(ge=0, description="copies that one block may get")] = DEFAULT_MAX_COPIES
    copy_start: Annotated[
        CopyStart, Field(description="how much a copy says at birth: nothing, a tenth, or what its original says")
    ] = CopyStart.NEUTRAL
    protected: Annotated[tuple[str, ...], Field(description='blocks that stay, such as "resnet[mid,0]"')] = ()

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        num = (self.target_latency_ms is not None) + (self.target_ratio is not None) + bool(self.targets)
        if num > 1 or (num == 0 and not self.limits.has_most):
            raise UserError(
                "give exactly one of `target_latency_ms` and `target_ratio`; to type the other one than the file has, "
                "set the file's to null (search.target_ratio=null search.target_latency_ms=20); several targets are "
                "given as `targets` instead"
            )
        if wrong := [target for target in self.targets if target != FASTEST and not _is_positive(target)]:
            raise UserError(f"`targets` must be positive numbers or the word {FASTEST}, but got {wrong}")
        return self

    @model_validator(mode="after")
    def _settings_of_one_algorithm(self) -> Self:
        if self.algorithm == EVOLVING and self.settings:
            raise UserError(f"`settings` are those of another algorithm, but `algorithm` is {EVOLVING}")
        own = {name: info.default for name, info in described(EvolvingSettings).items()}
        changed = [name for name, default in own.items() if getattr(self, name) != default]
        if self.algorithm != EVOLVING and changed:
            defaults = " ".join(f"search.{name}={json.dumps(plain(own[name]))}" for name in changed)
            raise UserError(
                f"{', '.join(changed)} are settings of {EVOLVING}, but `algorithm` is {self.algorithm!r}; take them "
                f"out of the file, or type {defaults}, and give its own under `settings`; if the name is a slip, "
                "`nas plugins` lists all"
            )
        return self


def _is_positive(target: float | str) -> bool:
    return isinstance(target, float) and target > 0


@settings
class LatencySourceSettings:
    """Where milliseconds come from when not from a `latency_table`; `nas plugins` lists the sources."""

    name: Annotated[
        str | None,
        Field(
            description="formula, live (measured here) or a plugin's; null = `latency_table`; `nas plugins` lists them"
        ),
    ] = None
    settings: Annotated[Mapping[str, Any], Field(description="the source's own")] = field(default_factory=dict)


@settings
class ExperimentConfig:
    """One search."""

    model: Annotated[Path, Field(description="pipeline folder, hub:ORG/NAME[@REVISION], or shapes, which is bundled")]
    score: ScoreSettings = ScoreSettings()
    clip: Annotated[ClipSettings | None, Field(validate_default=True)] = None
    latency_source: LatencySourceSettings = LatencySourceSettings()
    latency_table: Annotated[
        Path | None,
        Field(description="latency table of the target device, or the name of a shipped one", validate_default=True),
    ] = None
    validation: ValidationSettings
    sampling: SamplingProtocol = SamplingProtocol()
    robust_training: RobustTrainingSettings = RobustTrainingSettings()
    search: SearchConfig
    scoring: ScoringSettings = ScoringSettings()
    racing: RacingSettings = RacingSettings()
    execution: Execution = Execution()
    workers: WorkerSettings = WorkerSettings()
    pictures: PictureSettings = PictureSettings()
    score_store: Annotated[Path | None, Field(description="folder shared by runs; null = the run's own")] = None
    picture_cache: Annotated[
        Path | None, Field(description="folder shared by runs for encoded training pictures; null = the run's own")
    ] = None
    num_threads: Annotated[int, Field(ge=1, le=2**12, description="threads per worker; part of the protocol")] = 1
    model_variant: Annotated[
        str | None, Field(description="of the model's weight files, such as fp16; null = plain ones")
    ] = None
    seed: Annotated[int, Field(ge=0, le=2**62, description="of prompts' noise and of training")] = 0

    @field_validator("clip", mode="before")
    @classmethod
    def _needed_by_its_score(cls, clip: object, info: ValidationInfo) -> object:
        score = info.data.get("score")  # none when it is wrong itself
        if clip is None and score is not None and score.name == CLIP:
            raise PydanticCustomError("missing", "Field required")
        return clip

    @field_validator("latency_table", mode="before")
    @classmethod
    def _one_source(cls, table: object, info: ValidationInfo) -> object:
        source = info.data.get("latency_source")  # none when it is wrong itself
        if source is not None and table is None and source.name is None:
            raise PydanticCustomError("missing", "Field required")
        if source is not None and table is not None and source.name is not None:
            raise UserError(
                f"a table is one source, and latency_source.name ({source.name}) is another; give one of them"
            )
        return table

    @model_validator(mode="after")
    def _seed_of_training(self) -> Self:
        training = self.robust_training
        if training.iterations + training.recovery_iterations > 0 and self.seed > MAX_TRAINING_SEED:
            raise UserError(f"`seed` must be at most {MAX_TRAINING_SEED} where weights are trained, but is {self.seed}")
        return self

    @model_validator(mode="after")
    def _floor_of_its_score(self) -> Self:
        limits = self.search.limits
        if limits.min_clip is not None and self.score.name != CLIP:
            raise UserError(
                f"`search.limits.min_clip` is of CLIP's score, but `score.name` is {self.score.name!r}; give "
                "`search.limits.worst_score`, in that score's unit and direction"
            )
        return self

    @property
    def training_device(self) -> str:
        """Where the search's own process holds the model and trains it; without Ray workers it scores there too."""
        training = self.robust_training
        if training.device is not None:
            return training.device
        trains = training.iterations or training.recovery_iterations
        return self.execution.device if trains or not self.workers.needs_ray else "cpu"

    def plain(self) -> dict[str, Any]:
        """Every setting that can change a result, as plain values: what a run's config.yaml holds."""
        return without_result_free(plain(self))

    def identity(self) -> dict[str, Any]:
        """What the config's digest is made of."""
        return identity(self.plain())
