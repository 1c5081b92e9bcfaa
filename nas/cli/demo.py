"""The command `nas demo`: the whole way on the bundled model, with nothing but an installation."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.export import export
from nas.cli.screen.console import say
from nas.cli.screen.errors import TARGET_MISSED, user_errors


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
    from search_spaces.files.durable.places import settled
    from search_spaces.shapes.__main__ import write_pictures

    settled(out)
    pictures = out.parent / f"{out.name}-pictures"
    training = [f"robust_training.pictures={pictures}", *DEMO_TRAINING]
    if not (pictures / "metadata.jsonl").is_file():
        say(f"drawing {num_pictures} captioned pictures -> {pictures}")
        write_pictures(pictures, num=num_pictures, seed=0)
    given = {override.partition("=")[0] for override in overrides or ()}
    training = [setting for setting in training if setting.partition("=")[0] not in given]
    config = load_config(TEMPLATE, overrides=[*training, *(overrides or [])])
    from nas.cli.search import run_search

    is_met = run_search(config, out)
    export(str(out))
    say(f"pictures before and after: {out / 'before_after.png'}")
    if not is_met:
        raise typer.Exit(TARGET_MISSED)
