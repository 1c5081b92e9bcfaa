"""Ranking the finalists of a search again, after short recovery trainings: a run of its own, which names its parent.

It is a search like any other, by the algorithm `nas.algorithms.reranking`: it resumes, reports and exports so. Every
finalist starts from the same weights, those that the parent's search started with or those that it ended with.
"""

import warnings
from dataclasses import replace
from enum import StrEnum
from os import PathLike

from nas.algorithms.reranking import DECLARATION, RerankingSettings
from nas.algorithms.settings import ScoringSettings
from nas.config.loading import stored_config
from nas.config.resolving import resolve
from nas.config.sections import ExperimentConfig, SearchConfig
from nas.runs.directory import RunDirectory, RunWarning
from nas.runs.run import Run, open_run
from nas.search.driver import search
from nas.search.progress import NOBODY, Listeners
from nas.settings import plain, read
from nas.sweeps.finalists import Finalist, finalists_of
from search_spaces.choices import chosen
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError


class StartingWeights(StrEnum):
    """From which weights all finalists recover."""

    START = "start"  # what the parent's search started with: no finalist is favoured
    FOUND = "found"  # what the parent's search ended with, trained most for what it found


def reranking_config(
    run: Run,
    /,
    *,
    num_finalists: int = 5,
    lengths: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0),
    keep: float = 1.0,
    weights: StartingWeights = StartingWeights.START,
    steps: int | None = None,
) -> tuple[ExperimentConfig, tuple[Finalist, ...]]:
    """The config of a re-ranking, and whom it ranks.

    Args:
        run: A search that has scored something.
        num_finalists: At most so many.
        lengths: Shares of the recovery training at which they are scored; the first is mostly 0.
        keep: Share of finalists that go on after each length; 0.5 = successive halving.
        weights: What they recover from.
        steps: Of the whole recovery training; None = the parent's.

    Raises:
        ValueError: The run trains nothing and no steps are given, or fewer than two architectures keep its limits.

    Warns:
        RunWarning: Its trace is damaged: what stands in the damaged part is not ranked.
    """
    config = stored_config(run.path / "config.yaml")
    training = config.robust_training
    steps = training.recovery_iterations if steps is None else steps
    if not steps:
        raise UserError(
            f"`robust_training.recovery_iterations` of {run.path} is 0, so that nothing would recover; give --steps"
        )
    if training.pictures is None:
        raise UserError(
            f"{run.path} trains on no pictures; a re-ranking needs `robust_training.pictures`: search with it (its "
            "`iterations` may be 0)"
        )
    for notice in run.trace_notices:
        warnings.warn(f"{run.path}: {notice}; what it scored there is not ranked", RunWarning, stacklevel=3)
    parent = resolve(config, run=run.path)
    finalists = finalists_of(run, problem=parent.problem, num=num_finalists)
    given = {
        "finalists": [each.architecture.to_dict() for each in finalists],
        "lengths": list(lengths),
        "keep": keep,
        "parent": str(run.start.get("digests", {}).get("config", "")),
    }
    settings = read(RerankingSettings, given, name="the re-ranking")
    old = config.search
    searched = SearchConfig(
        algorithm=DECLARATION.name,
        settings=plain(settings),
        space=old.space,
        start=str(run.path.resolve()) if weights is StartingWeights.FOUND else old.start,
        target_latency_ms=parent.problem.target_latency_ms,
        limits=old.limits,
        max_copies_per_block=old.max_copies_per_block,
        copy_start=old.copy_start,
        protected=old.protected,
    )
    training = replace(training, recovery_iterations=steps)
    return replace(config, search=searched, scoring=ScoringSettings(), robust_training=training), finalists


def rerank(
    run: Run | str | PathLike[str],
    /,
    *,
    out: str | PathLike[str] | None = None,
    num_finalists: int = 5,
    lengths: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0),
    keep: float = 1.0,
    weights: StartingWeights | str = StartingWeights.START,
    steps: int | None = None,
    listeners: Listeners = NOBODY,
) -> Run:
    """Rank the finalists of a run again, or continue to.

    Args:
        run: A search that has scored something.
        out: Run directory of the re-ranking; None = `RUN-rerank` beside it.
        num_finalists: At most so many.
        lengths: Shares of the recovery training at which they are scored; the first is mostly 0.
        keep: Share of finalists that go on after each length; 0.5 = successive halving.
        weights: What all recover from: "start", the weights that the search started with, or "found".
        steps: Of the whole recovery training; None = the search's own.
        listeners: Who is told how it goes.

    Returns:
        The re-ranking, whose first result is the final choice.

    Raises:
        ValueError: Nothing to rank.
        StorageError: The disk refuses; the same call continues.
    """
    parent = run if isinstance(run, Run) else open_run(local_path(run))
    config, _ = reranking_config(
        parent,
        num_finalists=num_finalists,
        lengths=lengths,
        keep=keep,
        weights=chosen(StartingWeights, weights, name="weights"),
        steps=steps,
    )
    path = parent.path.with_name(f"{parent.path.name}-rerank") if out is None else local_path(out)
    search(resolve(config, run=path), RunDirectory(path), listeners=listeners)
    return open_run(path)
