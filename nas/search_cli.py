"""`nas search` as a person sees it: a progress bar while it runs, counts per stage and figures at the end."""

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

from nas.config import ExperimentConfig
from nas.experiment import Experiment, resolve
from nas.run import RunDirectory
from nas.search import Progress as SearchProgress
from nas.search import Search
from nas.spec import FoundArchitecture
from search_spaces.space_view import counts_by_paper_stage


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
            found = Search(experiment, RunDirectory(out), on_progress=_Bar(bar, console, quiet)).run()
        except KeyboardInterrupt:
            console.print(f"interrupted; the same command continues the search in {out}")
            raise
    _conclude(console, experiment, found, out)


class _Bar:
    """Shows a search's progress: one bar per phase, or one line per phase where nobody looks at a terminal."""

    def __init__(self, bar: Progress, console: Console, quiet: bool) -> None:
        self._bar, self._console, self._quiet = bar, console, quiet
        self._phase: tuple[int, str] | None = None
        self._task: Any = None

    def __call__(self, progress: SearchProgress) -> None:
        clip = "" if progress.clip is None else f", CLIP {progress.clip:.4f}"
        text = (
            f"round {progress.round}: {progress.phase} ({progress.latency_ms:.2f} ms, "
            f"target {progress.target_latency_ms:.2f} ms{clip})"
        )
        if (progress.round, progress.phase) != self._phase:
            self._phase = (progress.round, progress.phase)
            if self._quiet:
                self._console.print(text)
            elif self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(text, total=progress.total)
        self._bar.update(self._task, completed=progress.done, total=progress.total, description=text)


def _introduce(console: Console, experiment: Experiment, out: Path) -> None:
    space, config = experiment.space, experiment.config
    console.print(
        f"{config.model.name}: {len(space.removals(space.base))} removals, "
        f"{space.num_params(space.base):,} parameters, "
        f"{experiment.price_ms(space.base):.2f} ms on {experiment.table.device.name}; "
        f"target {experiment.evolving.target_latency_ms:.2f} ms -> {out}"
    )


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
        f"CLIP {found.base_clip.mean:.4f} -> {found.clip.mean:.4f} [{found.clip.low:.4f}, {found.clip.high:.4f}]"
    )
    console.print(
        f"parameters {space.num_params(space.base):,} -> {space.num_params(found.architecture):,}, "
        f"{len(found.actions)} actions"
    )
    reached = "target met" if found.target_met else f"TARGET OF {found.target_latency_ms:.3f} ms NOT MET"
    console.print(f"{reached}, search {found.stop}; spec in {out / 'architecture.json'}")
