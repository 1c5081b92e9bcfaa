"""A run's report as a file, and as a file that is written anew while the run goes on."""

import time
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Final

from nas.reports.layout import lay_out
from nas.reports.page.beside import beside
from nas.reports.page.data import report_data
from nas.reports.page.drawings import figures_of
from nas.reports.page.facts import source_base
from nas.reports.page.reading import read_source
from nas.reports.page.render import MARK, render
from nas.runs.bundled.naming import is_bundled
from nas.runs.run import Run, open_run
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import local_path
from search_spaces.files.replacing import check_replaceable

NAME: Final = "report.html"
REFRESH_S: Final = 10


def write_report(
    run: Run,
    path: str | PathLike[str] | None = None,
    /,
    *,
    store: str | PathLike[str] | None = None,
    compare: Sequence[Run] = (),
    is_watched: bool = False,
) -> Path:
    """Write the report of a run, finished, running or crashed; what it lacks is said in the page.

    Args:
        run: As `open_run` gives it; open it anew for a run that went on.
        path: Of the HTML file; None = `report.html` in the run directory, of a bundled run `<its name>-report.html` in
            the working folder.
        store: The folder of a `score_store` that the run shares with others; None = it keeps its own.
        compare: Other runs, which it is put beside.
        is_watched: Whether the page loads itself again every 10 seconds, which it does while the run goes on.

    Returns:
        Where it stands.

    Raises:
        PlaceError: Something that is no report stands there; it was not touched.
        RunDirectoryError: The run was removed while it was read.
        StorageError: The disk refuses; `path` is as it was.
    """
    place = _place(run, path)
    source = read_source(run, store=store)
    figures, notices = figures_of(run)
    data, base = report_data(source, figures=figures, notices=notices), source_base(source)
    layout = None if base is None else lay_out(base)
    if path is None:
        open_run(run.path)  # one that was removed meanwhile is not made again, as a folder with a report alone
    refresh_s = REFRESH_S if is_watched and data.state == "running" else None
    write_text(place, render(data, layout=layout, refresh_s=refresh_s, beside=beside(run, compare)))
    return place


def _place(run: Run, path: str | PathLike[str] | None) -> Path:
    """Where a report goes: by default into its run, and a bundled run's here, where its reader may write.

    Raises:
        PlaceError: Something that is no report stands there.
    """
    if path is not None:
        place = local_path(path)
    elif is_bundled(run.path):
        place = Path(f"{run.path.name}-{NAME}")
    else:
        place = run.path / NAME
    check_replaceable(place, is_report, kind="a report")
    return place


def is_report(path: Path, /) -> bool:
    """Whether a file begins as a report does."""
    with path.open("rb") as file:
        return MARK.encode() in file.read(512)


def watched_report(
    run: str | PathLike[str],
    path: str | PathLike[str] | None = None,
    /,
    *,
    store: str | PathLike[str] | None = None,
    compare: Sequence[str | PathLike[str]] = (),
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Path]:
    """Write the report of a run anew whenever something happened, until it runs no more; its page loads itself again.

    Args:
        run: The run directory.
        path: Of the HTML file; None = `report.html` in the run directory.
        store: As in `write_report`.
        compare: Directories of other runs, which it is put beside.
        wait: Lets so many seconds pass.

    Yields:
        Where it stands, each time that it was written.

    Raises:
        RunDirectoryError: There is no run.
        PlaceError: Something that is no report stands there; it was not touched.
        StorageError: The disk refuses.
    """
    seen: tuple[int, str] | None = None
    while True:
        opened = open_run(run)
        now = len(opened.events), opened.state
        if now != seen:
            others = [open_run(other) for other in compare]
            yield write_report(opened, path, store=store, compare=others, is_watched=True)
            seen = now
        if opened.state != "running":
            return
        wait(REFRESH_S / 2)
