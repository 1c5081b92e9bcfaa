"""The command `nas distill steps`: stage after stage, each with a live bar of loss, speed and time to the end."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import logged_in, user_errors

if TYPE_CHECKING:
    from nas.distillation.steps.job import StepDistillation
    from nas.distillation.steps.stages import Stage
    from nas.launching.news import Listener


@user_errors
def steps(
    config: Annotated[
        Path, typer.Argument(help="step distillation, a YAML file; `nas init FILE.yaml --of steps` writes one")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help='settings to change, such as training.iterations=1000 "steps=[16, 4]"', show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="directory to work in (default: runs/<name of the config>)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="the setting seed: of batches, noise and guidance")] = None,
) -> None:
    """Teach a UNet to sample in fewer steps, from itself or from another UNet.

    A step of the student learns to end where two or more steps of its teacher end; a UNet that
    predicts noise learns v first. `order` and `steps` say in which stages: `direct` (16 to 8),
    `progressive` (64 to 32 to 16 to 8), or `paper`, in which the teacher loses steps as well.

    OUT/pipeline is then a folder that plain diffusers samples in the last number of `steps`; its
    scheduler is set, its README.md says how. OUT/stages/*/samples hold pictures of teacher and
    student, side by side, as it goes on, OUT/stages/*/training.jsonl the losses.

    Ctrl-C ends the step and keeps the state; the same command goes on from there, to the very
    same weights. A stage that is done is not done again.

    Exit codes: 0 = distilled; 2 = unusable input, or a disk refuses; 1 = a fault (OUT/logs/driver.log);
    130 = interrupted.

    Example: nas distill steps mine.yaml training.iterations=1000 --out runs/fewer-steps
    """
    folder = out or Path("runs") / config.stem
    screen = Screen(stderr=True)
    with screen.status("reading the config"):
        from nas.distillation.steps.job import load_steps_config

        extra = [f"seed={seed}"] if seed is not None else []
        loaded = load_steps_config(config, overrides=(*(overrides or []), *extra))
    say(f"{config} -> {folder}")
    with screen.status("loading libraries"):
        from nas.distillation.steps.job import find_steps

    with logged_in(folder):
        if not _distilled(find_steps(loaded, folder)):
            raise KeyboardInterrupt


def _distilled(distillation: "StepDistillation") -> bool:
    """Distil with a bar for each stage, and say what came of it; whether it is done."""
    from nas.cli.training.bar import TrainingBar
    from nas.distillation.steps.distil import distil

    screen, stack, num = Screen(), ExitStack(), len(distillation.stages)
    batch_size = distillation.config.training.batch_size

    def on_stage(number: int, stage: "Stage") -> "Listener":
        stack.close()  # the bar of the stage before
        what = (
            f"{stage.student} learns v"
            if not stage.num_steps
            else (f"{stage.student} learns {stage.num_steps} steps from {stage.teacher} of {stage.teacher_steps}")
        )
        screen.sentence(f"stage {number} of {num}, {stage.name}: {what}, {stage.iterations:,} training steps")
        return stack.enter_context(TrainingBar(screen, batch_size=batch_size)).show

    try:
        done = distil(distillation, on_stage=on_stage)
    except KeyboardInterrupt:
        done = None
    finally:
        stack.close()
    if done is None:
        screen.sentence(f"interrupted; the same command goes on with the distillation in {distillation.out}")
        return False
    for name, report in done.stages.items():
        screen.sentence(f"{name}: loss {report['first_loss']:.4f} at first, {report['last_loss']:.4f} at last")
    screen.sentence(
        f'{done.folder} samples in {done.num_steps} steps: nas generate {done.folder} "..." --num-steps '
        f"{done.num_steps} --guidance-scale {done.guidance_scale:g}"
    )
    return True
