"""One stage of a step distillation as a value that travels between processes, and what a config asks for before any."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

from nas.config.identity.places import is_place
from nas.config.jobs.kinds import Job
from nas.config.loading import load_settings
from nas.config.places.absolute_paths import Absolute, unless_a_name, with_paths
from nas.distillation.steps.losses.ddim import Process, check_kind
from nas.distillation.steps.settings import Method, StepDistillationConfig
from nas.distillation.steps.stages import STUDENT, TEACHER, Stage, StageKind, V, stages_of
from nas.distillation.steps.unets import NamedUNet, named_unet
from nas.launching.checking import check_workers
from nas.launching.directory import TrainingDirectory
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.pipelines.source import find_model
from nas.scores.captions import read_captions
from nas.settings import plain
from nas.training.data.checking import check_pictures
from nas.training.data.readers.opening import open_pictures
from nas.training.step import rows_of
from search_spaces.files.user_error import UserError

SECTION: Final = "training"
_KNOWN_BY_CONTENT: Final = ("pictures", "data")
_NO_MATTER: Final = ("device", "workers", "save_every", "sample_every", "iterations")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageJob:
    """One stage, ready to be done.

    Attributes:
        stage: Who learns what from whom.
        config: The distillation; places are absolute.
        model: Its pipeline is around both UNets.
        student: Who learns.
        teacher: From whom.
        folder: What the stage writes to.
        prompts: Of sample pictures; none where none are drawn.
    """

    stage: Stage
    config: StepDistillationConfig
    model: ModelFolder
    student: NamedUNet
    teacher: NamedUNet
    folder: TrainingDirectory
    prompts: tuple[str, ...] = ()

    @property
    def device(self) -> str:
        """What it trains on."""
        return self.config.training.device or "cpu"

    @property
    def pictures(self) -> Path:
        """Folder below which encoded pictures are kept."""
        return self.config.picture_cache or self.folder.path.parents[1] / "pictures"

    def scheduler(self, *, kind: str = V) -> Any:
        """The sampler of a UNet in this pipeline, with steps that end where the noise begins."""
        return make_scheduler("DDIMScheduler", config=ddim_config(self.model, kind=kind))

    @property
    def origin(self) -> dict[str, str]:
        """What the weights follow from, by content."""
        return {"student": self.student.digest, "teacher": self.teacher.digest}

    def identity(self) -> dict[str, Any]:
        """The settings that its weights follow from, as plain values without places."""
        config = plain(self.config)
        training = {name: each for name, each in config["training"].items() if name not in _NO_MATTER}
        training["pictures"] = "..."
        training["data"] = {name: "..." if is_place(each) else each for name, each in training["data"].items()}
        loss = config["loss"]
        if self.stage.kind is StageKind.CONVERSION:
            loss = {name: loss[name] for name in ("original_weight", "original_rescaled")}
        return {
            "stage": plain(self.stage),
            **self.origin,
            "loss": loss,
            "training": training,
            "seed": config["seed"],
            "num_threads": config["num_threads"],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDistillation:
    """A step distillation, found and checked: its stages, and the UNets that they begin with.

    Attributes:
        config: Places are absolute.
        model: The pipeline.
        named: UNets by what stages call them: "student" and "teacher".
        stages: In order.
        out: The directory.
        contents: Digests of what stands at the places that it reads, by the setting that names each.
        prompts: Of sample pictures.
    """

    config: StepDistillationConfig
    model: ModelFolder
    named: Mapping[str, NamedUNet]
    stages: tuple[Stage, ...]
    out: Path
    contents: Mapping[str, str]
    prompts: tuple[str, ...]

    def folder(self, name: str, /) -> TrainingDirectory:
        """The directory of a stage."""
        number = [stage.name for stage in self.stages].index(name) + 1
        return TrainingDirectory(self.out / "stages" / f"{number}-{name}")

    def job(self, stage: Stage, /) -> StageJob:
        """A stage whose predecessors are done."""
        student = self._unet(stage.student, role=STUDENT)
        if stage.kind in (StageKind.CONDITIONED, StageKind.CONSISTENCY):
            student = student.telling(self.config.loss.guidance_channels)
        return StageJob(
            stage=stage,
            config=self.config,
            model=self.model,
            student=student,
            teacher=self._unet(stage.teacher, role=TEACHER),
            folder=self.folder(stage.name),
            prompts=self.prompts if self.config.training.sample_every else (),
        )

    def _unet(self, name: str, *, role: str) -> NamedUNet:
        if name in self.named:
            return self.named[name]
        found = named_unet(self.folder(name).pipeline, model=self.model, role=role)
        return replace(found, name=name)


def placed(config: StepDistillationConfig, /, *, absolute: Absolute) -> StepDistillationConfig:
    """The config with absolute paths."""

    def meant(key: str, value: str | None) -> str | None:
        return None if value is None else unless_a_name(key, value, absolute=absolute)

    config = replace(config, student=meant("student", config.student), teacher=meant("teacher", config.teacher))
    return with_paths(config, absolute=absolute)


def load_steps_config(path: str | PathLike[str], /, *, overrides: Sequence[str] = ()) -> StepDistillationConfig:
    """Read the config of a step distillation.

    Raises:
        ConfigError: The file is missing or breaks a law; the message lists every problem.
    """
    remedy = f"`nas init {path} --of steps` writes one, and `nas settings --of steps` says what it may hold"
    return load_settings(StepDistillationConfig, path, job=Job.STEPS, overrides=overrides, place=placed, remedy=remedy)


def ddim_config(model: ModelFolder, /, *, kind: str) -> dict[str, Any]:
    """Settings of the DDIM that samples a UNet of a kind in a model's pipeline, spaced from the last timestep down."""
    config = scheduler_config(model) | {"prediction_type": kind}
    made = make_scheduler("DDIMScheduler", config=config).config
    return {**made, "_class_name": "DDIMScheduler", "_use_default_values": [], "timestep_spacing": "trailing"}


def find_steps(config: StepDistillationConfig, out: Path, /) -> StepDistillation:
    """Read and check what a distillation needs, before anything is loaded or written.

    Raises:
        UserError: A missing or broken part, UNets that do not fit together, or steps that cannot be taken; the message
            names the remedy.
    """
    training = config.training
    rows_of(training, world=training.workers.num_workers)
    check_workers(training.workers, device=training.device or "cpu", section=SECTION)
    model = find_model(config.model, variant=config.model_variant)
    named = {
        STUDENT: named_unet(config.student, model=model, role=STUDENT),
        TEACHER: named_unet(config.teacher, model=model, role=TEACHER),
    }
    _check_pair(named, config=config, model=model)
    assert training.pictures is not None, "the config asks for pictures"
    pictures = open_pictures(training.pictures, settings=training.data)
    check_pictures(pictures, max_corrupt_share=training.data.max_corrupt_share)
    prompts: list[str] = []
    if training.sample_every:
        prompts = read_captions(config.samples.captions, num=config.samples.num)
    return StepDistillation(
        config=config,
        model=model,
        named=named,
        stages=stages_of(config, kinds={who: unet.kind for who, unet in named.items()}),
        out=out.absolute(),
        contents={"model": model.digest(), f"{SECTION}.pictures": pictures.digest},
        prompts=tuple(prompts),
    )


def _check_pair(named: Mapping[str, NamedUNet], *, config: StepDistillationConfig, model: ModelFolder) -> None:
    """Check that the UNets were trained with the same noise, and that the steps can be taken in it."""
    scheduler = make_scheduler("DDIMScheduler", config=ddim_config(model, kind=V))
    process = Process.of(scheduler)
    own = named_unet(None, model=model, role=STUDENT).betas
    for who, unet in named.items():
        if unet.betas != own:
            raise UserError(
                f"teacher, student and `model` must be of one forward process, but the {who} ({unet.name}) was trained "
                f"with another noise schedule than {model.path}; give UNets whose scheduler_config.json have the same "
                "betas"
            )
        check_kind(unet.kind, process, name=f"the {who} ({unet.name})")
    most = max(*config.all_steps, config.loss.consistency_steps if config.method is Method.CONSISTENCY else 0)
    if most > (num := len(process.alphas_cumprod)):
        raise UserError(f"`steps` must be at most the {num} timesteps of {model.path}, but {most} are asked for")
    if config.method is Method.STEPS and (
        told := [who for who, unet in named.items() if unet.told is not None and who == STUDENT]
    ):
        raise UserError(
            f"the {told[0]} is told its guidance (`time_cond_proj_dim`), which method steps knows nothing of; say "
            "method=conditioned, or give another one"
        )
