"""What people would see: the same prompts round by round, and base beside found."""

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from nas.reports.facts import found_round, origin_name, round_rows, score_name
from nas.reports.style import WIDTH, FigureError, digits, new_figure, note, plain, styled
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_ROUNDS: Final = 7
NUM_PROMPTS: Final = 4
NUM_PAIRS: Final = 6
MAX_PX: Final = 256  # a side, as it is embedded


@styled
def pictures(run: Run, /, *, num_prompts: int = NUM_PROMPTS) -> "Figure":
    """Do the pictures stay the same? The same prompts with the same noise, drawn by every round's UNet.

    Args:
        run: A run.
        num_prompts: Rows, at most.

    Raises:
        FigureError: The run keeps no pictures.
    """
    kept = _kept(run)
    every = sorted(kept["round"].unique())
    shown = [
        every[i] for i in np.unique(np.linspace(0, len(every) - 1, min(MAX_ROUNDS, len(every))).round().astype(int))
    ]
    prompts = _prompts(kept, shown, most=num_prompts)
    side = (WIDTH - 1.5) / max(len(shown), 4)
    height = 0.95 + len(prompts) * (side + 0.06)
    figure = new_figure(height=height, title="The same prompts, drawn by the UNet of every round")
    grid = figure.subplots(len(prompts), 1 + len(shown), squeeze=False, width_ratios=[1.4 / side] + [1.0] * len(shown))
    rounds, found = round_rows(run), found_round(run)
    for row, (prompt, caption) in zip(grid, prompts.items(), strict=True):
        row[0].axis("off")
        row[0].text(0, 0.5, _wrapped(caption, 22), va="center", fontsize=7)
        for axes, number in zip(row[1:], shown, strict=True):
            _show(axes, kept, number=number, prompt=prompt)
    for axes, number in zip(grid[0][1:], shown, strict=True):
        name = _role(number, found, origin=origin_name(run))
        ms = f"\n{digits(rounds[number]['predicted_latency_ms'])} ms" if number in rounds else ""
        axes.set_title(name + ms, fontsize=7, weight="normal", loc="center")
    left_out = f" {len(every) - len(shown)} rounds are left out." if len(every) > len(shown) else ""
    note(figure, f"Milliseconds are predicted. The noise of a prompt is the same in every round.{left_out}")
    return figure


@styled
def before_after(run: Run, /, *, num_prompts: int = NUM_PAIRS) -> "Figure":
    """What would people notice? The base model's pictures above those of what was found, prompt by prompt.

    Args:
        run: A run.
        num_prompts: Columns, at most.

    Raises:
        FigureError: The run keeps no pictures of both.
    """
    kept = _kept(run)
    every, found = sorted(kept["round"].unique()), found_round(run)
    last = found if found in every else every[-1]
    if last == every[0]:
        raise FigureError(f"{run.path} keeps pictures of round {last} only; draw it again once a later round is scored")
    shown = [every[0], last]
    prompts = _prompts(kept, shown, most=num_prompts)
    rounds = round_rows(run)
    side = (WIDTH - 0.5) / max(len(prompts), 4)
    figure = new_figure(
        height=2 * side + 1.3, title=f"Base above, {'found' if last == found else f'round {last}'} below"
    )
    grid = figure.subplots(2, len(prompts), squeeze=False)
    for number, row in zip(shown, grid, strict=True):
        for axes, prompt in zip(row, prompts, strict=True):
            _show(axes, kept, number=number, prompt=prompt)
        if number in rounds:
            ms, score = (rounds[number][name] for name in ("predicted_latency_ms", run.score))
            words = f"{_role(number, found, origin=origin_name(run))}\n{digits(ms)} ms\n{score_name(run)}\n{score:.3f}"
            row[0].set_ylabel(words, fontsize=7, rotation=0, ha="right", va="center")
    for axes, caption in zip(grid[0], prompts.values(), strict=True):
        axes.set_title(_wrapped(caption, max(8, int(16 * side))), fontsize=7, weight="normal", loc="center")
    note(figure, "Same prompt, same noise. Milliseconds are predicted; scores are means over all prompts of the round.")
    return figure


def _role(number: int, found: int | None, *, origin: str) -> str:
    return f"round {number}" + (", found" if number == found else f", {origin}" if number == 0 else "")


def _kept(run: Run) -> pd.DataFrame:
    """Pictures of the rounds' own architectures, at least one."""
    kept: pd.DataFrame = run.pictures(actions=[None])
    kept = kept[kept["action"].isna()]
    if kept.empty:
        raise FigureError(
            f"{run.path} keeps no pictures: its first round is not scored yet, or its scores came from a store that "
            "kept none"
        )
    return kept


def _prompts(kept: pd.DataFrame, rounds: Sequence[int], *, most: int) -> dict[str, str]:
    """Captions by the prompt's digest, of those with a picture in every round where there are such; in their order."""
    there = kept[kept["round"].isin(rounds)]
    counts = there.groupby("prompt_id", sort=False)["round"].nunique()
    best = counts[counts == counts.max()].index[: max(1, most)]
    captions = there.drop_duplicates("prompt_id").set_index("prompt_id")["caption"]
    return {prompt: captions[prompt] for prompt in best}


def _show(axes: "Axes", kept: pd.DataFrame, *, number: int, prompt: str) -> None:
    """A picture, or the word that there is none."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, alpha=0.25, linewidth=0.5)
    found = kept[(kept["round"] == number) & (kept["prompt_id"] == prompt)]["png"]
    picture = None if found.empty else _decoded(found.iloc[0])
    if picture is None:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center", fontsize=7, alpha=0.6)
    else:
        axes.imshow(picture, interpolation="none")


def _decoded(data: bytes) -> npt.NDArray[np.uint8] | None:
    """The pixels of a PNG, at most `MAX_PX` a side; None where it is damaged."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            small = image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # what Pillow says of damaged files
        return None
    small.thumbnail((MAX_PX, MAX_PX))
    return np.asarray(small)


def _wrapped(caption: str, width: int) -> str:
    return "\n".join(textwrap.wrap(plain(caption, most=width * 4), width)[:5])
