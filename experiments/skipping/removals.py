r"""What every single removal costs with and without robust training (SnapFusion, Figure 5), as a table and a picture.

    python -m experiments.skipping.removals --plain runs/shapes/unet-plain --robust search_spaces/shapes/pipeline/unet \
        --out runs/skipping/removals.csv

The paper's claim: without robust training single blocks cannot be judged, since the model breaks whichever is gone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import pandas as pd
import typer
from rich.progress import track
from scipy.stats import sem, spearmanr

from experiments.command import run
from experiments.skipping.bench import Judged, start_threads
from experiments.skipping.study import Study
from nas.reports.style import BLUE, INK, ORANGE, new_figure, note, styled, tidy
from nas.reports.writing import write_figure
from nas.scores.intervals import mean_interval, paired_loss
from search_spaces.files.durable.writing import write_text
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAININGS: Final = {"plain": (ORANGE, "s"), "robust": (BLUE, "o")}
_WORDS: Final = {"plain": "without", "robust": "with"}
_SPREAD: Final = 0.18  # of the rows of one block


def main(
    plain: Annotated[Path, typer.Option(help="UNet folder, trained without skipping")],
    robust: Annotated[Path, typer.Option(help="UNet folder of the same architecture, trained with skipping")],
    out: Annotated[Path, typer.Option(help="CSV file; the picture stands beside it as .png")],
    pipeline: Annotated[Path, typer.Option(help="pipeline folder of the other parts")] = PIPELINE_DIR,
    clip: Annotated[Path, typer.Option(help="OpenCLIP folder of the judge")] = OPEN_CLIP_DIR,
    captions: Annotated[Path, typer.Option(help="held-out captions")] = CAPTIONS_FILE,
    num_prompts: Annotated[int, typer.Option(help="captions that every UNet is judged on")] = 256,
    chunk_size: Annotated[int, typer.Option(help="prompts that are drawn at once")] = 64,
    sampling_steps: Annotated[int, typer.Option(help="denoising steps per picture")] = 8,
    guidance: Annotated[float, typer.Option(help="of the sampling")] = 3.0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """What every single removal costs with and without robust training."""
    start_threads(device)
    rows = []
    for training, unet in {"plain": plain, "robust": robust}.items():
        study = Study(
            unet=str(unet),
            pipeline=str(pipeline),
            clip=str(clip),
            captions=str(captions),
            pictures="",
            steps=0,
            recovery_steps=0,
            batch_size=1,
            learning_rate=1.0,
            num_prompts=num_prompts,
            chunk_size=chunk_size,
            sampling_steps=sampling_steps,
            guidance=guidance,
            num_removals=999,
            num_recovered=0,
            found_share=1.0,
            device=device,
        )
        rows += lost_by_removals(Judged(study, unet), training)
    frame = pd.DataFrame(rows)
    write_text(out, frame.to_csv(index=False))
    write_figure(picture(frame), out.with_suffix(".png"))
    print(f"{table(frame)}\n\n{compared(frame)}")


def lost_by_removals(judged: Judged, training: str, /) -> list[dict[str, object]]:
    """A row per single removal of a UNet, with the loss of CLIP score and its 95 % interval."""
    space = judged.supernet.space
    full, rows = judged.scores(space.base), []
    for action in track(space.removals(space.base), description=training):
        lost = paired_loss(full, judged.scores(action.apply(space.base)))
        rows.append(
            {
                "training": training,
                "stage": space.paper_stage(action.blocks[0].stage),
                "block": str(action)[1:],
                "d_clip": lost.mean,
                "low": lost.low,
                "high": lost.high,
                "full": mean_interval(full).mean,
            }
        )
    return rows


def table(frame: pd.DataFrame, /) -> str:
    """The rows of both trainings side by side, as Markdown."""
    lines = ["| stage | block | without robust training | with |", "|---|---|---:|---:|"]
    for (stage, block), rows in frame.groupby(["stage", "block"], sort=False):
        told = {row.training: f"{row.d_clip:+.4f} [{row.low:+.4f}, {row.high:+.4f}]" for row in rows.itertuples()}
        lines.append(f"| {stage} | `{block}` | {told.get('plain', '')} | {told.get('robust', '')} |")
    return "\n".join(lines)


def compared(frame: pd.DataFrame, /) -> str:
    """Both trainings in a sentence each, and how far they differ."""
    lost = frame.pivot(index="block", columns="training", values="d_clip")
    attention = lost[lost.index.str.startswith("cross_attention")]
    lines = [
        f"{_WORDS[name]} robust training: a removal costs {lost[name].mean():.4f}, one of attention "
        f"{attention[name].mean():.4f}, the worst {lost[name].max():.4f}"
        for name in TRAININGS
    ]
    dearer, alike = lost["plain"] - lost["robust"], spearmanr(lost["plain"], lost["robust"]).statistic
    return "\n".join((*lines, f"dearer without: {dearer.mean():+.4f} ± {sem(dearer):.4f}; Spearman {alike:.2f}"))


@styled
def picture(frame: pd.DataFrame, /) -> "Figure":
    """A row per block in the order of the forward pass, with the loss and interval of either training."""
    blocks = list(dict.fromkeys(frame["block"]))
    figure = new_figure(
        height=1.2 + 0.19 * len(blocks), title="What every single removal costs, with and without robust training"
    )
    axes = tidy(figure.subplots(), grid="x")
    for offset, (training, (colour, marker)) in zip((-_SPREAD, _SPREAD), TRAININGS.items(), strict=True):
        rows = frame[frame["training"] == training]
        places = [blocks.index(block) + offset for block in rows["block"]]
        spread = [rows["d_clip"] - rows["low"], rows["high"] - rows["d_clip"]]
        axes.errorbar(
            rows["d_clip"], places, xerr=spread, fmt=marker, color=colour, markersize=3.5, elinewidth=0.9,
            label=f"{_WORDS[training]} robust training (full UNet: {rows['full'].mean():.3f})",
        )  # fmt: skip
    stages = frame.drop_duplicates("block")["stage"].tolist()
    for row in range(1, len(blocks)):
        if stages[row] != stages[row - 1]:
            axes.axhline(row - 0.5, color=INK, linewidth=0.5, alpha=0.3)
    axes.set(yticks=range(len(blocks)), xlabel="CLIP score lost by the removal (right = worse)")
    axes.set_yticklabels([f"{stage}  {block}" for stage, block in zip(stages, blocks, strict=True)], fontsize=6.5)
    axes.set_ylim(len(blocks) - 0.5, -0.5)
    axes.legend(loc="center right")
    note(figure, "Lines: 95 % intervals over prompts, paired by prompt. After SnapFusion's Figure 5.")
    return figure


if __name__ == "__main__":
    run(main)
