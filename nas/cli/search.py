"""`nas search` as a person sees it: what it will cost, a progress bar, counts per stage and figures at the end."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from nas.cli.formats import score_label
from nas.config.experiment import Experiment, resolve
from nas.config.sections import ExperimentConfig
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture
from nas.search.cost import CostEstimate
from nas.search.driver import Listeners, search
from nas.search.estimate import estimate_cost
from nas.search.progress import Progress as SearchProgress
from search_spaces.space_view import counts_by_paper_stage


def estimate_search(config: ExperimentConfig, /) -> None:
    """Say what a search would cost, by a warm-up, and stop there."""
    console = Console()
    experiment = resolve(config)
    _introduce(console, experiment, None)
    with console.status("warming up") as status:
        cost = estimate_cost(experiment, on_start=lambda ready, num: status.update(_starting(ready, num)))
    console.print(_cost_table(cost))
    console.print("nothing was written; scores that a store already holds make it cheaper")


def run_search(config: ExperimentConfig, out: Path, /) -> None:
    """Run or continue a search and say what was found."""
    console = Console()
    experiment = resolve(config)
    _introduce(console, experiment, out)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    quiet = not sys.stdout.isatty()
    with Progress(*columns, console=console, disable=quiet, transient=True) as bar:
        try:
            shown = _Bar(bar, console, quiet, score=score_label(experiment.score.name))
            listeners = Listeners(
                on_progress=shown,
                on_start=shown.start,
                on_estimate=lambda cost: console.print(_cost_sentence(cost)),
            )
            found = search(experiment, RunDirectory(out), listeners=listeners)
        except KeyboardInterrupt:
            console.print(f"interrupted; the same command continues the search in {out}")
            raise
    _conclude(console, experiment, found, out)


class _Bar:
    """Shows a search's progress: one bar per phase, or one line per phase where nobody looks at a terminal."""

    def __init__(self, bar: Progress, console: Console, quiet: bool, *, score: str) -> None:
        self._bar, self._console, self._quiet, self._score = bar, console, quiet, score
        self._phase: tuple[int, str] | None = None
        self._task: Any = None

    def start(self, num_ready: int, num_workers: int) -> None:
        """Show that workers are waited for."""
        self._show((-1, "start"), _starting(num_ready, num_workers), done=num_ready, total=num_workers)

    def __call__(self, progress: SearchProgress) -> None:
        """Show where the search stands."""
        clip = "" if progress.clip is None else f", {self._score} {progress.clip:.4f}"
        text = (
            f"round {progress.round}: {progress.phase} ({progress.latency_ms:.2f} ms, "
            f"target {progress.target_latency_ms:.2f} ms{clip})"
        )
        self._show((progress.round, progress.phase), text, done=progress.done, total=progress.total)

    def _show(self, phase: tuple[int, str], text: str, *, done: int, total: int) -> None:
        if phase != self._phase:
            self._phase = phase
            if self._quiet:
                self._console.print(text)
            elif self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(text, total=total)
        self._bar.update(self._task, completed=done, total=total, description=text)


def _starting(num_ready: int, num_workers: int) -> str:
    return f"workers are loading their models: {num_ready} of {num_workers} ready"


def _cost_sentence(cost: CostEstimate) -> str:
    least, most = cost.least, cost.most
    gpus = f", {cost.gpu_hours(least):.1f} to {cost.gpu_hours(most):.1f} GPU hours" if cost.pace.num_gpus else ""
    return (
        f"estimated: {least.num_rounds} to {most.num_rounds} rounds, {least.num_pictures:,} to "
        f"{most.num_pictures:,} pictures, {_duration(cost.seconds(least))} to {_duration(cost.seconds(most))}{gpus}"
    )


def _cost_table(cost: CostEstimate) -> Table:
    table = Table(title="what the search would cost")
    for name in ("", "at least", "at most"):
        table.add_column(name, justify="right" if name else "left")
    works = (cost.least, cost.most)
    table.add_row("rounds", *(str(work.num_rounds) for work in works))
    table.add_row("pictures made and scored", *(f"{work.num_pictures:,}" for work in works))
    table.add_row("training steps", *(f"{work.num_training_steps:,}" for work in works))
    table.add_row("time", *(_duration(cost.seconds(work)) for work in works))
    if cost.pace.num_gpus:
        table.add_row("GPU hours", *(f"{cost.gpu_hours(work):.1f}" for work in works))
    pace = cost.pace
    table.caption = f"measured: {pace.seconds_per_picture:.3f} s per picture, all workers at work" + (
        f"; {pace.seconds_per_training_step:.2f} s per training step" if pace.seconds_per_training_step else ""
    )
    return table


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _introduce(console: Console, experiment: Experiment, out: Path | None) -> None:
    space, config = experiment.space, experiment.config
    console.print(
        f"{config.model.name}: {len(space.removals(space.base))} removals, "
        f"{space.num_params(space.base):,} parameters, "
        f"{experiment.price_ms(space.base):.2f} ms on {experiment.source.scenario.device}; "
        f"target {experiment.problem.target_latency_ms:.2f} ms" + (f" -> {out}" if out is not None else "")
    )
    if (why := experiment.source.distrust) is not None:
        console.print(why, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _conclude(console: Console, experiment: Experiment, found: FoundArchitecture, out: Path) -> None:
    space = experiment.space
    table = Table(title="counts per stage, before -> after")
    for name in ("stage", "cross-attentions", "ResNets"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    before, after = counts_by_paper_stage(space, space.base), counts_by_paper_stage(space, found.architecture)
    for old, new in zip(before, after, strict=True):
        table.add_row(
            old["paper_stage"],
            f"{old['num_cross_attentions']} -> {new['num_cross_attentions']}",
            f"{old['num_resnets']} -> {new['num_resnets']}",
        )
    console.print(table)
    saved = 1 - found.predicted_latency_ms / found.base_latency_ms
    console.print(
        f"predicted latency {found.base_latency_ms:.3f} -> {found.predicted_latency_ms:.3f} ms ({saved:.0%} less)"
    )
    console.print(
        f"{score_label(experiment.score.name)} {found.base_clip.mean:.4f} -> {found.clip.mean:.4f} "
        f"[{found.clip.low:.4f}, {found.clip.high:.4f}]"
    )
    console.print(
        f"parameters {space.num_params(space.base):,} -> {space.num_params(found.architecture):,}, "
        f"{len(found.actions)} actions"
    )
    reached = "target met" if found.target_met else f"TARGET OF {found.target_latency_ms:.3f} ms NOT MET"
    console.print(f"{reached}, search {found.stop}; spec in {out / 'architecture.json'}")
