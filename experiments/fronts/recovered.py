"""What a short recovery training leaves of the order of the algorithms: the best of each, trained alike.

    python -m experiments.fronts.recovered --fronts runs/fronts --out runs/fronts/recovered

Question: does the order of the algorithms on one-shot scores stay after recovery? Reads `FRONTS/fronts.csv` of `python
-m experiments.fronts`: of each front the best by the captions that its search saw of what takes at most 70 % of the
base's latency. Each network, the base among them, is trained from the bundled weights on the same batches, noise and
rate, and scored on captions that no search saw, with the same noise before and after. Writes `recovered.csv` and
`recovered.md`; a second call goes on where the first stopped. Refuted if Kendall's tau of before and after is near 0.
Cost: 45 s of an idle core per network.
"""

import json
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Final

import pandas as pd
import typer
from scipy.stats import kendalltau

from experiments.command import run
from experiments.decisions.bundled import space_of, validation_of
from experiments.decisions.trainings import BASE, BatchSize, Device, NumPictures, Processes, Recipe, ShortTrainings
from experiments.fronts.__main__ import CHUNK, NUM_CAPTIONS
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import write_text
from search_spaces.unets.stock_space import SpaceForm

MOST: Final = 0.70  # of the base's latency


def main(
    fronts: Annotated[Path, typer.Option(help="folder of `python -m experiments.fronts`")],
    out: Annotated[Path, typer.Option(help="folder of what is trained and told; a second call goes on")],
    seeds: Annotated[int, typer.Option(min=1, help="of each algorithm")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="training steps of each")] = 100,
    num_pictures: NumPictures = 1024,
    batch_size: BatchSize = 16,
    device: Device = "cpu",
    processes: Processes = 1,
) -> None:
    """Train the best of each algorithm for a short while, and score it before and after."""
    found = pd.read_csv(fronts / "fronts.csv")
    best = chosen(found[found["seed"] < seeds])
    architectures = [Architecture.from_dict(json.loads(text)) for text in best["architecture"]]
    networks = {BASE: space_of(SpaceForm.ANY).base} | {each.arch_id: each for each in architectures}
    captions = [each.caption for each in validation_of(NUM_CAPTIONS, chunk_size=CHUNK).prompts[CHUNK:]]
    write_text(out / "captions.txt", "".join(f"{each}\n" for each in captions))
    trained = {
        num: ShortTrainings(
            out,
            Recipe(
                steps=num,
                num_prompts=len(captions),
                num_pictures=num_pictures,
                batch_size=batch_size,
                captions=out / "captions.txt",
                device=device,
            ),
        ).all(networks, processes=processes)
        for num in (0, steps)
    }
    scores = {num: {name: fmean(own.scores) for name, own in each.items()} for num, each in trained.items()}
    base = {num: each[BASE] for num, each in scores.items()}
    names = [each.arch_id for each in architectures]
    best = best.assign(before=[scores[0][name] for name in names], after=[scores[steps][name] for name in names])
    write_text(out / "recovered.csv", best.to_csv(index=False))
    told = markdown(best, before=base[0], after=base[steps])
    write_text(out / "recovered.md", told)
    print(told)


def chosen(fronts: pd.DataFrame, /) -> pd.DataFrame:
    """The best of each front, by the score that its search saw, of what takes at most `MOST` of the latency."""
    quick = fronts[fronts["share"] <= MOST]
    return quick.loc[quick.groupby(["algorithm", "seed"], sort=False)["score"].idxmax()].reset_index(drop=True)


def markdown(best: pd.DataFrame, /, *, before: float, after: float) -> str:
    """A row per algorithm, means over seeds with their deviation, and how alike both orders are.

    Args:
        best: With columns algorithm, seed, share, score, before, after.
        before: Score of the base.
        after: Of the base after the same training.
    """
    columns = ("score", "before", "after")
    lines = ["| algorithm | latency | score that it saw | on other captions | after recovery |"]
    lines.append("|---|---:|---:|---:|---:|")
    for name, part in best.groupby("algorithm", sort=False):
        means: Any = part[[*columns, "share"]].mean()
        spreads: Any = part[list(columns)].std(ddof=0)
        cells = [f"{means[each]:.3f}" + (f" ± {spreads[each]:.3f}" if len(part) > 1 else "") for each in columns]
        lines.append("| " + " | ".join([f"`{name}`", f"{means['share']:.1%}", *cells]) + " |")
    lines.append(f"| the base | 100.0% | | {before:.3f} | {after:.3f} |")
    algorithms: Any = best.groupby("algorithm")[["before", "after"]].mean()
    alone = kendalltau(best["before"], best["after"]).statistic
    means_alike = kendalltau(algorithms["before"], algorithms["after"]).statistic
    told = f"\nKendall's tau of before and after: {alone:.2f} of all {len(best)}, {means_alike:.2f} of the algorithms' "
    return "\n".join(lines) + "\n" + told + "means.\n"


if __name__ == "__main__":
    run(main)
