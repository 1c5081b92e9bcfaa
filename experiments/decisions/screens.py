"""What cheap scores are worth: Kendall's tau with CLIP loss, what their choices truly lose, and what they cost.

    python -m experiments.decisions.record --num-prompts 512 --out runs/decisions
    python -m experiments.decisions.screens --recorded runs/decisions --out runs/decisions/screens
    python -m experiments.decisions.recovered --out runs/decisions/screens --num 12

The first command records CLIP scores of every removal, which are the truth here. The second scores every removal by
each cheap score, once for good (`OUT/screens.parquet`), and prints the table: a row per score and number of prompts,
over random draws of the prompts. The third, if it has been run, adds a column: tau with the loss that is left after a
short training of the removal's network. Where some removals alone were recorded (`--num-removals`), the table is of
these, and targets that they do not reach together stay empty.

| column of screens.parquet | what |
|---|---|
| `action` | such as "-resnet[mid,0]" |
| `prompt` | number of the caption, from 0; captions that the recorded scores have none of |
| `score_name` | the cheap score |
| `passes` | UNet passes of one number |
| `score` | its number; of `training_loss` the rise |
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import pandas as pd
import typer
from rich.progress import track

from experiments.command import run
from experiments.decisions.bundled import PASSES_PER_PICTURE, prices_of, scorer_of, scores_of, space_of, validation_of
from experiments.decisions.ranking import Truth, draws, kept_order, spread_of
from experiments.decisions.recorded import passes_of, read_table
from nas.evaluation.settings import CLIP_CHANGE, CLIP_GLIMPSE
from nas.evaluation.training_loss import TrainingLoss
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError
from search_spaces.shapes import OPEN_CLIP_DIR
from search_spaces.unets.stock_space import SpaceForm

CAPTIONS_SEED: Final = 13  # not those of the recorded scores
CLIP: Final = "clip"
TARGETS: Final = (0.75, 0.62, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A cheap score as it is tried.

    Attributes:
        score: Its name.
        passes: UNet passes of one number.
        num_prompts: On which it is measured at most.
        tried: Numbers of prompts that a decision is drawn with.
        settings: Its own.
    """

    score: str
    passes: int
    num_prompts: int
    tried: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)


CASES: Final = (
    Case(score="output_change", passes=1, num_prompts=128, tried=(4, 16, 64)),
    Case(score=CLIP_CHANGE, passes=1, num_prompts=64, tried=(4, 16, 32), settings={"model": str(OPEN_CLIP_DIR)}),
    Case(
        score=CLIP_GLIMPSE,
        passes=3,
        num_prompts=1024,
        tried=(11, 34, 68),
        settings={"model": str(OPEN_CLIP_DIR)},
    ),
    Case(score="block_similarity", passes=0, num_prompts=128, tried=(4, 16, 64)),
    Case(score=TrainingLoss.name, passes=1, num_prompts=64, tried=(16, 64), settings={"num_timesteps": 1}),
    Case(score="picture_distance", passes=PASSES_PER_PICTURE, num_prompts=16, tried=(4, 16)),
    Case(score="latent_distance", passes=PASSES_PER_PICTURE, num_prompts=16, tried=(4, 16)),
)
CLIP_TRIED: Final = (4, 20, 96)


def main(
    recorded: Annotated[Path, typer.Option(help="folder of experiments.decisions.record, or its any.parquet")],
    out: Annotated[Path, typer.Option(help="folder of what is measured; a second call goes on from it")],
    num_draws: Annotated[int, typer.Option(min=20, help="random draws of the prompts, for every row")] = 200,
    most_prompts: Annotated[int, typer.Option(min=16, help="of each cheap score; rows that need more are none")] = 192,
    score: Annotated[list[str] | None, typer.Option(help="a cheap score; may be repeated; left out = all")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Measure every cheap score, and print what its choices lose."""
    path = recorded / f"{SpaceForm.ANY.value}.parquet" if recorded.is_dir() else recorded
    known = read_table(path, columns=("action", "prompt", "score", "saved_ms"))
    truth = Truth.of(known)
    wanted = score or [case.score for case in CASES]
    if unknown := sorted(set(wanted) - {case.score for case in CASES}):
        raise UserError(f"`--score` must be among {', '.join(case.score for case in CASES)}, but got {unknown[0]!r}")
    cases = [replace(case, num_prompts=min(case.num_prompts, most_prompts)) for case in CASES if case.score in wanted]
    measured = _measured(out, set(truth.losses.index), cases, device)
    path = out / "recovered.json"
    recovered = read_json_object(path) if path.exists() else {}
    lines = list(_table(measured, truth, recovered, num_draws, cases, passes_of(known)))
    if len(recovered) > 1:
        lines += ["", kept_order(truth.losses.mean(axis=1), pd.Series(recovered, dtype=float))]
    write_text(out / "screens.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def _measured(out: Path, wanted: set[str], cases: Sequence[Case], device: str) -> pd.DataFrame:
    """What every removal that was recorded changes by every cheap score, a row per prompt."""
    space = space_of(SpaceForm.ANY)
    removals = [action for action in sorted(space.removals(space.base)) if str(action) in wanted]
    frames = []
    for case in cases:
        path = out / f"{case.score}.parquet"
        if not (path.exists() and holds(read_table(path, columns=("action", "prompt")), wanted, case.num_prompts)):
            validation = validation_of(case.num_prompts, seed=CAPTIONS_SEED, chunk_size=32)
            settings = dict(case.settings)
            scorer = scorer_of(validation, folder=out / "scores", score=case.score, settings=settings, device=device)
            base = np.array(scores_of(scorer, space.base))
            numbers = {
                str(action): np.array(scores_of(scorer, action.apply(space.base))) - base
                for action in track(removals, description=case.score)
            }
            frame = pd.DataFrame(numbers).rename_axis("prompt").reset_index()
            frame = frame.melt("prompt", var_name="action", value_name="score")
            with whole(path) as part:
                frame.assign(score_name=case.score, passes=case.passes).to_parquet(part)
        frames.append(pd.read_parquet(path).query("prompt < @case.num_prompts"))
    frame = pd.concat(frames, ignore_index=True)
    with whole(out / "screens.parquet") as part:
        frame.to_parquet(part)
    return frame


def holds(known: pd.DataFrame, actions: set[str], num_prompts: int) -> bool:
    """Whether what was measured before is of all these actions, on so many prompts at least."""
    return actions <= set(known["action"]) and known["prompt"].nunique() >= num_prompts


def _table(
    frame: pd.DataFrame,
    truth: Truth,
    recovered: Mapping[str, Any],
    num_draws: int,
    cases: Sequence[Case],
    passes_per_picture: int,
) -> Iterator[str]:
    """Markdown: a row per score and number of prompts."""
    price_ms = prices_of(space_of(SpaceForm.ANY))
    base_ms = price_ms(space_of(SpaceForm.ANY).base)
    after = pd.Series({name: float(loss) for name, loss in recovered.items()}, dtype=float)
    shares = "".join(f" loss at {share:.0%} |" for share in TARGETS)
    trained = f" tau with {len(after)} after training |" if len(after) else ""
    yield f"| score | prompts | UNet passes per removal | tau with CLIP loss |{trained}{shares}"
    yield "|---|---:|---:|---:|" + "---:|" * (len(TARGETS) + bool(trained))
    losses = truth.losses
    rows: list[tuple[str, pd.DataFrame, int, tuple[int, ...], bool]] = [
        (CLIP, losses, passes_per_picture, CLIP_TRIED, True)
    ]
    for case in cases:
        numbers = frame[frame["score_name"] == case.score].pivot(index="action", columns="prompt", values="score")
        rows.append((case.score, numbers.loc[losses.index], case.passes, case.tried, False))
        if case.score == "output_change":
            rows.append(("its root", numbers.loc[losses.index] ** 0.5, case.passes, case.tried, False))
    for name, numbers, passes, tried, own in rows:
        nums = sorted({*tried, *(() if own else (numbers.shape[1],))})
        for num in (each for each in nums if each <= numbers.shape[1] - own):  # some must be left to judge CLIP's own
            found = list(
                draws(
                    numbers,
                    truth=truth,
                    num=num,
                    num_draws=num_draws,
                    most_ms=[base_ms * (1 - share) for share in TARGETS],
                    after=after,
                    decides_by_truth=own,
                )
            )
            cells = [spread_of([draw.tau for draw in found])]
            cells += [spread_of([draw.tau_after for draw in found])] if trained else []
            cells += [spread_of([draw.lost[index] for draw in found], signed=True) for index in range(len(TARGETS))]
            yield f"| {name} | {num} | {num * passes} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    run(main)
