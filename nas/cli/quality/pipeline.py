"""The command `nas pipeline`: all stages of a YAML, each once, to a folder that draws in few steps."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import logged_in, user_errors


@user_errors
def pipeline(
    config: Annotated[
        Path,
        typer.Argument(help="pipeline, a YAML file; `nas init FILE.yaml --of pipeline` writes one and its stages'"),
    ],
    out: Annotated[
        Path | None, typer.Option(help="directory of all stages (default: runs/<name of the config>)")
    ] = None,
) -> None:
    """Search, train, distil steps and decoder, evaluate: all stages of a file, each done once.

    Every stage leaves a receipt by content: of its settings and of what they name. A second
    call does only what changed, and what comes after it; a call that was killed goes on within
    its stage. At the end stand OUT/final, a model that plain diffusers runs in its few steps,
    and OUT/report.md: what a picture costs on this machine, part by part, before and after.

    Example: nas pipeline mine.yaml --out runs/pipeline
    """
    folder = out or Path("runs") / config.stem
    with Screen(stderr=True).status("loading libraries"):
        from nas.stages.pipeline import run_pipeline
    with logged_in(folder):
        done = run_pipeline(config, out=folder, on_line=lambda line: Screen(stderr=True).sentence(line))
    before, after = done.times["before"], done.times["after"]
    say(
        f"a picture took {before.total_ms:,.0f} ms in {before.num_steps} steps, and takes {after.total_ms:,.0f} ms in "
        f"{after.num_steps}: {faster(before.total_ms, after.total_ms)}"
    )
    say(f"the model is {done.folder}, the report {done.report}")


def faster(before_ms: float, after_ms: float, /) -> str:
    """How many times faster, or slower: what takes 200 ms instead of 100 is not "0.5 times faster"."""
    if after_ms <= before_ms:
        return f"{before_ms / after_ms:.1f} times faster"
    return f"{after_ms / before_ms:.1f} times slower"
