"""One call that searches: from a config to a run, in a directory that can be opened while it goes on."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from os import PathLike

from nas.config.loading import given_config
from nas.config.resolving import resolve
from nas.config.sections import ExperimentConfig
from nas.runs.directory import RunDirectory
from nas.runs.run import Run, open_run
from nas.search.driver import search
from nas.search.progress import Listeners, Progress, RoundDone
from search_spaces.files.paths import local_path


def run_search(
    config: str | PathLike[str] | ExperimentConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
    on_round: Callable[[RoundDone], None] | None = None,
) -> Run:
    """Search, or continue the search in a run directory, to its end; a line per round is said on standard error.

    Args:
        config: An experiment, or the path of its YAML file.
        out: The run directory; made when there is none.
        overrides: Settings to change, such as "search.target_ratio=0.5"; with a path only.
        on_progress: Called often with where the search stands; must be quick.
        on_round: Called when a round is over, instead of saying its line.

    Returns:
        The finished run.

    Raises:
        ValueError: A config or something that it names breaks a law; the message lists every problem.
        StorageError: The disk refuses; the same call continues.
    """
    config = given_config(config, overrides=overrides)
    path = local_path(out)
    experiment = resolve(config, run=path)

    def say(done: RoundDone) -> None:
        print(done.sentence(score=experiment.score.name), file=sys.stderr, flush=True)  # noqa: T201  who waits is told

    listeners = Listeners(on_round=on_round or say)
    if on_progress is not None:
        listeners = replace(listeners, on_progress=on_progress)
    search(experiment, RunDirectory(path), listeners=listeners)
    return open_run(path)
