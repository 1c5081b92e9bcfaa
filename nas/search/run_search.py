"""One call that searches: from a config to a run, in a directory that can be opened while it goes on."""

from collections.abc import Callable, Sequence
from os import PathLike

from nas.config.experiment import resolve
from nas.config.loading import load_config
from nas.config.sections import ExperimentConfig
from nas.runs.directory import RunDirectory
from nas.runs.run import Run, open_run
from nas.search.driver import search
from nas.search.progress import Listeners, Progress
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError


def run_search(
    config: str | PathLike[str] | ExperimentConfig,
    /,
    *,
    out: str | PathLike[str],
    overrides: Sequence[str] = (),
    on_progress: Callable[[Progress], None] | None = None,
) -> Run:
    """Search, or continue the search in a run directory, to its end.

    Args:
        config: An experiment, or the path of its YAML file.
        out: The run directory; made when there is none.
        overrides: Settings to change, such as "search.target_ratio=0.5"; with a path only.
        on_progress: Called often with where the search stands; must be quick.

    Returns:
        The finished run.

    Raises:
        ValueError: A config or something that it names breaks a law; the message lists every problem.
        StorageError: The disk refuses; the same call continues.
    """
    if isinstance(config, ExperimentConfig):
        if overrides:
            raise UserError(
                f"overrides change what a file says, but a config was given with {list(overrides)}; give its path, or "
                "`load_config(path, overrides=...)`"
            )
    else:
        config = load_config(config, overrides=overrides)
    listeners = Listeners() if on_progress is None else Listeners(on_progress=on_progress)
    path = local_path(out)
    search(resolve(config, run=path), RunDirectory(path), listeners=listeners)
    return open_run(path)
