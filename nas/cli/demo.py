"""The command `nas demo`: the whole way on the bundled model, with nothing but an installation."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.errors import user_errors
from nas.cli.export import export


@user_errors
def demo(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="settings to change, such as search.target_ratio=0.5", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="run directory")] = Path("runs/demo"),
    num_pictures: Annotated[int, typer.Option(min=1, help="captioned pictures to draw for the training")] = 1024,
) -> None:
    """Draw training pictures, search the bundled model, export what was found and draw before and after: minutes.

    The same command continues what was interrupted.

    Example: nas demo --out runs/demo
    """
    from nas.config.loading import load_config
    from nas.config.template import DEMO_TRAINING, TEMPLATE
    from search_spaces.shapes.__main__ import write_pictures

    pictures = out.parent / f"{out.name}-pictures"
    training = [f"robust_training.pictures={pictures}", *DEMO_TRAINING]
    if not (pictures / "metadata.jsonl").is_file():
        typer.echo(f"drawing {num_pictures} captioned pictures -> {pictures}")
        write_pictures(pictures, num=num_pictures, seed=0)
    config = load_config(TEMPLATE, overrides=[*training, *(overrides or [])])
    from nas.cli.search import run_search

    run_search(config, out)
    export(str(out))
    typer.echo(f"pictures before and after: {out / 'before_after.png'}")
