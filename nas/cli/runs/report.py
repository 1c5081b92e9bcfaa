"""The command `nas report`: a run as one HTML file, that needs no network."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors


@user_errors
def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="run directory; finished, in progress or interrupted; or sample, which is bundled; or the folder of a "
            "sweep: its best trial beside the others"
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="HTML file (default: report.html in the run directory)")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="write it anew while the run goes on; the page loads itself again")
    ] = False,
    store: Annotated[
        Path | None, typer.Option(help="folder of the score_store that it shares with others (default: its own scores)")
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="another run to put it beside, as `nas compare` does; may be repeated")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
) -> None:
    """Tell a run's story in one HTML file: what was removed, what it cost, how sure that is, and what to do next.

    The file needs no network and no other file. Every block of the UNet can be pointed at, every round looked at.

    Examples: nas report runs/demo --open
              nas report runs/demo --compare runs/faster
    """
    with _uncollected():
        from nas.reports.page import watched_report, write_report
        from nas.runs.run import open_run

    others = compare or []
    if (run / "trials.csv").is_file():
        from nas.sweeps.table import trials_of

        out = out or run / "report.html"
        run, *trials = trials_of(run)
        others = [*trials, *others]
    if watch:
        written = watched_report(run, out, store=store, compare=others)
    else:
        beside = [open_run(other) for other in others]
        with _uncollected():
            written = iter([write_report(open_run(run), out, store=store, compare=beside)])
    is_shown = False
    for place in written:
        say(f"report: {place}")
        if watch and not is_shown and open_run(run).state == "running":
            say("written anew while the search goes on; Ctrl-C stops that, and the search goes on")
        if open_ and not is_shown:
            import webbrowser

            if not webbrowser.open(place.resolve().as_uri()):
                say("no browser was found here; open the file in one", err=True)
        is_shown = True
    if watch and open_run(run).state == "interrupted":
        say("the search was interrupted: its own command continues it; watch again then")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Python does not look for circles to free: libraries and figures make many objects, and a page is soon made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
