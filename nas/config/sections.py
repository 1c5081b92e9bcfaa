"""One experiment: the settings of every room as sections of a YAML file, and what makes two experiments the same.

A section is the frozen value that its room takes; see `nas.settings` and docs/settings.md. Paths are relative to the
file that names them, those of `key=value` overrides to the folder that the command runs in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nas.algorithms.settings import OUTPUT_CHANGE, EvolvingSettings, LimitSettings, ScoringSettings
from nas.config.places.identity import SUBSECTIONS, without_places
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

EVOLVING: Final = "evolving"  # the algorithm whose settings stand in `search` itself

# Never change a result: no run's config.yaml holds them.
RESULT_FREE: Final = (
    "workers", "score_store", "picture_cache", "pictures", "robust_training.save_every", "robust_training.sample_every",
    "robust_training.workers",
)  # fmt: skip

FASTEST: Final = "fastest"  # the target that no architecture undercuts
MAX_TRAINING_SEED: Final = 2**32 - 1  # every step of every round has a seed made of it, which must fit 63 bits

# What 0.1.0 did where later versions have a setting. A config's digest leaves such a setting out while it has this
# value, and a config.yaml without it means this value, so that runs keep their digests whatever defaults become.
BEFORE: Final[Mapping[str, Any]] = {
    "latency_source.name": None,
    "latency_source.settings": {},
    "model_variant": None,
    "score.name": CLIP,
    "score.settings": {},
    "racing.growth": 1.3,
    "racing.rule": "elimination",
    "racing.tolerance": 0.0,
    "robust_training.adam_beta1": 0.9,
    "robust_training.adam_beta2": 0.999,
    "robust_training.adam_epsilon": 1e-8,
    "robust_training.caption_dropout": 0.1,
    "robust_training.channels_last": False,
    "robust_training.data.caption_column": None,
    "robust_training.data.crop": "center",
    "robust_training.data.encode": "once",
    "robust_training.data.encode_batch_size": 32,
    "robust_training.data.images": None,
    "robust_training.data.max_corrupt_share": 0.01,
    "robust_training.data.picture_column": None,
    "robust_training.data.shuffled_pictures": 1024,
    "robust_training.decay_share": 1.0,
    "robust_training.device": None,
    "robust_training.distill_features": 0.0,
    "robust_training.distill_outputs": 0.0,
    "robust_training.drop_num_random": 2,
    "robust_training.drop_probability_by_kind": {},
    "robust_training.drop_ramp": 0.0,
    "robust_training.drop_strategy": "independent",
    "robust_training.ema_decay": None,
    "robust_training.gradient_accumulation": 1,
    "robust_training.gradient_checkpointing": False,
    "robust_training.max_grad_norm": 1.0,
    "robust_training.max_loss": 1e4,
    "robust_training.min_snr_gamma": None,
    "robust_training.precision": "float32",
    "robust_training.rate_schedule": "constant",
    "robust_training.warm_up_share": 0.1,
    "robust_training.weight_decay": 0.01,
    "scoring.by": OUTPUT_CHANGE,
    "scoring.num_prompts": 16,
    "scoring.screen": "off",
    "scoring.settings": {},
    "scoring.shortlist": 14,
    "scoring.tolerance": 1e-4,
    "search.algorithm": EVOLVING,
    "search.indifference": 0.0,
    "validation.drawn_from": "first_lines",
    "validation.final_prompts": None,
    "validation.held_out": None,
    "validation.held_out_captions": None,
    "search.value": "paper",
    "search.devices": [],
    "search.limits.max_macs": None,
    "search.limits.max_params": None,
    "search.limits.min_clip": None,
    "search.limits.worst_score": None,
    "search.settings": {},
    "search.space": "any",
    "search.start": None,
    "search.targets": [],
}


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

    @field_validator("clip", mode="before")
    @classmethod
    def _needed_by_its_score(cls, clip: object, info: ValidationInfo) -> object:
        score = info.data.get("score")  # none when it is wrong itself
        if clip is None and score is not None and score.name == CLIP:
            raise PydanticCustomError("missing", "Field required")
        return clip

    def identity(self) -> dict[str, Any]:
        """What the config's digest is made of."""
        return identity(self.plain())


def without_result_free(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A config's plain values without the sections, and the settings of sections, that never change a result."""
    return {
        section: {name: each for name, each in part.items() if f"{section}.{name}" not in RESULT_FREE}
        if isinstance(part, Mapping)
        else part
        for section, part in config.items()
        if section not in RESULT_FREE
    }


def identity(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A config's plain values without places, and without what was no setting in 0.1.0 and is as it was there.

    Args:
        config: As `ExperimentConfig.plain` gives it.
    """
    return _without_before(without_places(config), "")


def placed_identity(config: Mapping[str, Any], /) -> dict[str, Any]:
    """What the digest of 0.1.0 was made of: the same with the absolute paths of the machine that ran it."""
    return _without_before(config, "")


def part_identity(section: str, value: Any, /) -> dict[str, Any]:
    """The same of one section, by its name."""
    kept: Mapping[str, Any] = without_result_free({section: plain(value)})[section]
    return _without_before(kept, f"{section}.")


def _without_before(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        key = prefix + name
        if key in BEFORE and value == BEFORE[key]:
            continue
        is_section = isinstance(value, Mapping) and (not prefix or key in SUBSECTIONS)
        part = _without_before(value, f"{key}.") if is_section else value
        if part or not is_section:  # a section that came later goes with all its settings
            kept[name] = part
    return kept


def with_before(config: Mapping[str, Any], /) -> dict[str, Any]:
    """A stored config's plain values, with what 0.1.0 did where it lacks a setting."""
    full = dict(config)
    for key, value in BEFORE.items():
        _set_default(full, key.split("."), value)
    return full


def _set_default(section: dict[str, Any], names: Sequence[str], value: Any) -> None:
    """Give a setting its value where a section, which is changed in place, lacks it."""
    name, *below = names
    if not below:
        section.setdefault(name, value)
    elif isinstance(part := section.get(name, {}), Mapping):
        section[name] = dict(part)
        _set_default(section[name], below, value)
