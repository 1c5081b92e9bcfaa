"""One call that distils steps, in a directory that goes on: stage after stage, each done once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

from nas.config.loading import given_settings
from nas.distillation.steps.job import SECTION, StepDistillation, find_steps, load_steps_config
from nas.distillation.steps.rank import distil_rank
from nas.distillation.steps.settings import StepDistillationConfig
from nas.distillation.steps.stages import Stage
from nas.launching.launch import Launch
from nas.launching.news import Listener, say_tenths
from nas.launching.start import launch
from nas.settings import plain
from search_spaces.files.durable.places import check_own, sweep_beside
from search_spaces.files.durable.writing import put_copy, write_text
from search_spaces.files.paths import local_path
from search_spaces.files.strict_yaml import dumped
from search_spaces.files.user_error import UserError

OnStage = Callable[[int, Stage], Listener]  # gets the stage's number from 1, gives who hears of it


@dataclass(frozen=True, slots=True, kw_only=True)
class DistilledSteps:
    """What a step distillation gave.

    Attributes:
        folder: The pipeline folder; plain diffusers samples it in `num_steps`.
        num_steps: Steps.
        guidance_scale: Of the sample pictures.
        stages: What is said of each stage, by name.
    """

    folder: Path
    num_steps: int
    guidance_scale: float
    stages: dict[str, dict[str, Any]]


def distill_steps(
    config: str | PathLike[str] | StepDistillationConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: Sequence[str] = (),
    on_news: Listener | None = None,
) -> DistilledSteps:
    """Distil steps, or go on where an earlier call stopped; a line per tenth of a stage is said.

    Args:
        config: A step distillation, or the path of its YAML file.
        out: Directory; made when there is none.
        overrides: Settings to change, such as "training.iterations=1000"; with a path only.
        on_news: Called with what happens, instead of saying lines; must be quick.

    Raises:
        ValueError: A config or something that it names breaks a law.
        StorageError: The disk refuses; the same call goes on.
        KeyboardInterrupt: It was stopped; the same call goes on.
    """
    config = given_settings(config, StepDistillationConfig, overrides=overrides, load=load_steps_config)
    found = find_steps(config, local_path(out))
    done = distil(found, on_stage=lambda number, stage: on_news or say_tenths)
    if done is None:
        raise KeyboardInterrupt
    return done


def distil(distillation: StepDistillation, /, *, on_stage: OnStage) -> DistilledSteps | None:
    """Do the stages that are left.

    Args:
        distillation: What to do.
        on_stage: Called as a stage begins, also one that is done; who it gives hears how it goes.

    Returns:
        What came of it; None where somebody stopped it, and then the same call goes on.

    Raises:
        UserError: As `distil_rank`, or a stage's directory is of another one.
        StorageError: The disk refuses; the same call goes on.
    """
    out, config, reports = distillation.out, distillation.config, dict[str, dict[str, Any]]()
    _check_out(distillation)
    for number, stage in enumerate(distillation.stages, 1):
        job = distillation.job(stage)
        listen = on_stage(number, stage)
        is_done = launch(
            Launch(
                folder=job.folder,
                identity=job.identity(),
                contents=distillation.contents,
                workers=config.training.workers,
                device=job.device,
                work=partial(distil_rank, job),
                section=SECTION,
            ),
            listen=listen,
        )
        if not (out / "config.yaml").is_file():
            write_text(out / "config.yaml", dumped(plain(config)))
        if not is_done:
            return None
        reports[stage.name] = job.folder.trained() or {}
    last = distillation.stages[-1]
    put_copy(distillation.folder(last.name).pipeline, out / "pipeline")
    write_text(out / "config.yaml", dumped(plain(config)))
    return DistilledSteps(
        folder=out / "pipeline",
        num_steps=last.num_steps,
        guidance_scale=config.samples.guidance_scale,
        stages=reports,
    )


def _check_out(distillation: StepDistillation) -> None:
    """Check that the directory is free or of this distillation: of these stages, whose own directories know the rest.

    Raises:
        UserError: It is another one's, or holds other things.
    """
    out, own = distillation.out, [distillation.folder(stage.name).path.name for stage in distillation.stages]
    check_own(out, marks=("stages/*/training.yaml", "stages/*/training.jsonl"), what="a step distillation")
    for name in ("pipeline", "config.yaml"):
        sweep_beside(out / name)
    there = sorted(path.parent.name for path in out.glob("stages/*/training.yaml"))
    if strange := [name for name in there if name not in own]:
        raise UserError(
            f"{out} holds another distillation, whose stages are {', '.join(there)}, but those of this one are "
            f"{', '.join(own)}; without {', '.join(strange)} there is nothing to go on from: give another --out, or "
            "the steps of that distillation"
        )
