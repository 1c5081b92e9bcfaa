"""The command `nas plot`: a figure of a run, as a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors
from nas.reports.writing import DPI, Ground
from search_spaces.files.user_error import UserError


@user_errors
def plot(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN... NAME", help="run directories, and last the figure's name", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="picture to write: .png, .svg or .pdf (default: <run>-<name>.png, here)")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="say what figures there are, and stop there")] = False,
    round: Annotated[int | None, typer.Option(min=0, help="importance, map: which round (default: the first)")] = None,
    what: Annotated[str | None, typer.Option(help="map: value, loss or saved (default: value)")] = None,
    num_prompts: Annotated[int | None, typer.Option(min=1, help="pictures, before_after: how many prompts")] = None,
    ground: Annotated[Ground, typer.Option(help="what it will stand on: white paper, dark, or none")] = Ground.WHITE,
    dpi: Annotated[int, typer.Option(min=20, max=600, help="dots per inch of a PNG")] = DPI,
) -> None:
    """Draw a figure of a run, finished or not; of several runs where it compares them.

    Example: nas plot runs/demo importance --out importance.svg
    """
    from nas.reports.figures import FIGURES, draw
    from nas.reports.writing import write_figure
    from nas.runs.run import open_run

    if listed:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for name in ("figure", "what it tells", "options"):
            table.add_column(name, no_wrap=name == "figure")
        for figure in FIGURES.values():
            options = [f"--{option.replace('_', '-')}" for option in figure.options]
            table.add_row(figure.name, figure.sentence, " ".join(["RUN..."] * figure.takes_several + options))
        Screen().print(table)
        return
    folders, name = (words or [])[:-1], (words or [""])[-1]
    if not folders:
        raise UserError(
            f"give a run and the name of a figure, such as `nas plot runs/demo importance`, but got {name!r}; "
            f"figures: {', '.join(FIGURES)}"
        )
    runs = [open_run(Path(folder).expanduser()) for folder in folders]
    path = out or Path(f"{runs[0].path.absolute().name}-{name}.png")
    drawn = draw(name, runs, round=round, what=what, num_prompts=num_prompts)
    write_figure(drawn, path, ground=ground, dpi=dpi)
    say(f"{FIGURES[name].sentence} -> {path}")
