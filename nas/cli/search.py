"""`nas search` as a person sees it: what it will cost, the live screen, and what was found."""

from pathlib import Path

from rich.table import Table

from nas.cli.screen.console import Screen, in_one_line
from nas.cli.screen.errors import logged_in
from nas.cli.screen.formats import duration
from nas.cli.screen.search_bar import SearchBar, starting
from nas.cli.screen.search_summary import conclude
from nas.config.experiment import Experiment
from nas.config.resolving import resolve
from nas.config.scores import screened_on
from nas.config.sections import ExperimentConfig
from nas.runs.directory import RunDirectory
from nas.scores.labels import score_label
from nas.search.costs.pace import CostEstimate
from nas.search.driver import search
from nas.search.estimate import estimate_cost, expected_work
from nas.search.outlook import Outlook
from nas.search.progress import Listeners


def estimate_search(config: ExperimentConfig, /) -> None:
    """Say what a search would cost, by a warm-up, and stop there."""
    screen = Screen()
    experiment = resolve(config)
    _introduce(screen, experiment, None)
    with screen.status("warming up") as status:
        cost = estimate_cost(experiment, on_start=lambda ready, num: status.update(starting(ready, num)))
    screen.print(_cost_table(cost))
    screen.sentence("nothing was written; scores that a store already holds make it cheaper")


def run_search(config: ExperimentConfig, out: Path, /) -> bool:
    """Run or continue a search and say what was found.

    Returns:
        Whether it meets the target.
    """
    screen = Screen()
    with logged_in(out):
        experiment = resolve(config, run=out)
        _introduce(screen, experiment, out)
        least, most = expected_work(experiment)
        score = score_label(experiment.score.name)
        with SearchBar(screen, Outlook(least=least, most=most), score=score) as bar:

            def expect(cost: CostEstimate) -> None:
                screen.sentence(cost_sentence(cost))
                bar.expect(Outlook(least=cost.least, most=cost.most, pace=cost.pace))

            listeners = Listeners(on_progress=bar.show, on_round=bar.end_round, on_start=bar.start, on_estimate=expect)
            try:
                found = search(experiment, RunDirectory(out), listeners=listeners)
            except KeyboardInterrupt:
                screen.sentence(f"interrupted; the same command continues the search in {out}")
                raise
        conclude(screen, experiment, found, out)
    return found.target_met


def cost_sentence(cost: CostEstimate, /) -> str:
    """What a search would cost, from least to most; one number where both are shown alike."""
    least, most = cost.least, cost.most
    gpus = f", {_range(f'{cost.gpu_hours(least):.1f}', f'{cost.gpu_hours(most):.1f}')} GPU hours"
    return (
        f"estimated: {_range(str(least.num_rounds), str(most.num_rounds))} rounds, "
        f"{_range(f'{least.num_pictures:,}', f'{most.num_pictures:,}')} pictures{_passes(cost)}, "
        f"{_range(duration(cost.seconds(least)), duration(cost.seconds(most)))}{gpus if cost.pace.num_gpus else ''}"
    )


def _range(least: str, most: str) -> str:
    """Both ends as they are shown, or the one where they do not differ."""
    return most if least == most else f"{least} to {most}"


def _passes(cost: CostEstimate) -> str:
    """What other scores than the run's own cost, in words; nothing where none is asked for."""
    most = cost.most.num_passes
    return f", {_range(f'{cost.least.num_passes:,}', f'{most:,}')} UNet passes of other scores" if most else ""


def _cost_table(cost: CostEstimate) -> Table:
    table = Table(title="what the search would cost")
    for name in ("", "at least", "at most"):
        table.add_column(name, justify="right" if name else "left")
    works = (cost.least, cost.most)
    table.add_row("rounds", *(str(work.num_rounds) for work in works))
    table.add_row("pictures made and scored", *(f"{work.num_pictures:,}" for work in works))
    if cost.most.num_passes:
        table.add_row("UNet passes of other scores", *(f"{work.num_passes:,}" for work in works))
    table.add_row("training steps", *(f"{work.num_training_steps:,}" for work in works))
    table.add_row("time", *(duration(cost.seconds(work)) for work in works))
    if cost.pace.num_gpus:
        table.add_row("GPU hours", *(f"{cost.gpu_hours(work):.1f}" for work in works))
    pace = cost.pace
    table.caption = f"measured: {pace.seconds_per_picture:.3f} s per picture, all workers at work" + (
        f"; {pace.seconds_per_training_step:.2f} s per training step" if pace.seconds_per_training_step else ""
    )
    return table


def _introduce(screen: Screen, experiment: Experiment, out: Path | None) -> None:
    space = experiment.space
    text = (
        f"{experiment.worker.model.name}: {len(space.removals(space.base))} removals, "
        f"{space.num_params(space.base):,} parameters, "
        f"{experiment.price_ms(space.base):.2f} ms on {experiment.source.scenario.device}; "
        f"target {experiment.problem.target_latency_ms:.2f} ms" + (f" -> {out}" if out is not None else "")
    )
    screen.sentence(in_one_line(text))
    if (said := screened_on(experiment.config)) is not None:
        screen.sentence(said, style="yellow")
    if (why := experiment.source.distrust) is not None:
        screen.sentence(why, style="yellow")
