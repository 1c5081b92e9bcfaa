"""The command `nas train`: robust training without a search, with a live bar of loss, speed and time to the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import logged_in, user_errors

if TYPE_CHECKING:
    from nas.robust_training.job import TrainingJob


@user_errors
def train(
    config: Annotated[Path, typer.Argument(help="experiment, a YAML file; `nas init FILE.yaml --of train` writes one")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(help="settings to change, such as robust_training.iterations=1000", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="directory to train in (default: runs/<name of the config>)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="the setting seed: of batches, noise and skipping")] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="write events for TensorBoard into OUT/tensorboard, too")
    ] = False,
) -> None:
    """Train a model robustly, without a search: the paper's first stage.

    Steps leave blocks out at random, as a search's trainings do between its rounds, so that
    the model's scores without a block say what a search needs to know. Of the config it reads
    `robust_training`, `model`, `search.space`, `search.start` and `search.protected`.

    OUT/pipeline is then a model like the one it began with: `nas search model=OUT/pipeline`,
    `nas generate OUT/pipeline "..."` and plain diffusers open it. OUT/training.jsonl holds the
    losses, OUT/samples pictures of the same prompts as the training goes on.

    Ctrl-C ends the step and keeps the state; the same command goes on from there, and from
    the last state (`robust_training.save_every`) after a crash, to the very same weights.
    Two processes or more (`robust_training.workers`) share each step.

    Exit codes: 0 = trained; 2 = unusable input, or a disk refuses; 1 = a fault (OUT/logs/driver.log);
    130 = interrupted.

    Example: nas train mine.yaml robust_training.iterations=1000 --out runs/robust
    """
    folder = out or Path("runs") / config.stem
    with Screen(stderr=True).status("reading the config"):
        from nas.config.loading import load_config

        extra = [f"seed={seed}"] if seed is not None else []
        loaded = load_config(config, overrides=[*(overrides or []), *extra])
    say(f"{config} -> {folder}")
    with Screen(stderr=True).status("loading libraries"):
        from nas.robust_training.job import find_job

    with logged_in(folder):
        job = find_job(loaded, folder, tensorboard=tensorboard)
        if not _trained(job):
            raise KeyboardInterrupt


def _trained(job: "TrainingJob") -> bool:
    """Train with a bar, and say what came of it; whether it is done."""
    from nas.cli.training.bar import TrainingBar
    from nas.robust_training.train import train as train_job

    screen, settings, folder = Screen(), job.config.robust_training, job.folder
    workers = settings.workers
    where = job.config.training_device if workers.address is None else f"Ray ({workers.address})"
    together = f"{workers.num_workers} processes on {where}" if workers.num_workers > 1 else where
    screen.sentence(
        f"{job.model.name}: {job.space.num_params(job.start.architecture):,} parameters, {settings.iterations:,} steps "
        f"of {settings.batch_size} pictures on {together}"
    )
    if folder.trained() is None:
        with TrainingBar(screen, batch_size=settings.batch_size) as bar:
            try:
                is_done = train_job(job, listen=bar.show)
            except KeyboardInterrupt:
                is_done = False
        if not is_done:
            screen.sentence(f"interrupted; the same command goes on with the training in {folder.path}")
            return False
    else:
        train_job(job, listen=lambda news: None)  # checks that it is this one
        screen.sentence("it was trained before, and nothing is left to do")
    report = folder.trained() or {}
    loss, made = report.get("last_loss", float("nan")), folder.pipeline
    screen.sentence(f"loss of the last tenth of the steps {loss:.4f}; the model is {made}")
    screen.sentence(f'next: nas generate {made} "..." draws with it; nas search ... model={made} begins with it')
    return True
