"""Is the copied block the one whose copy helps most after training? A few copies, each trained alike, and scored.

    python -m experiments.decisions.record --num-prompts 128 --num-removals 12 --out runs/decisions
    python -m experiments.decisions.copies --recorded runs/decisions --out runs/decisions/screens

Algorithm 1 copies the block whose removal would cost most per millisecond (A+), before anything says that a copy
helps. Question: does it, more than other copies do? Candidates are the copies that the mean and the posterior pick with
few recorded captions and with all, and others evenly from the order of values. Each network, the base among them, has
the same batches and noise from the bundled weights on. Gained: CLIP score more than the base after that training,
caption by caption; error less: mean square of the prediction in the last third of the steps, step by step. Refuted if
value before and gain after are in no order. Cost: 40 s of an idle core per copy; on a GPU see
`experiments.decisions.recovered`.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from scipy.stats import kendalltau

from experiments.command import run
from experiments.decisions.bundled import prices_of, space_of
from experiments.decisions.recorded import Recorded, read_recorded
from experiments.decisions.trainings import (
    BASE,
    BatchSize,
    ChunkSize,
    Device,
    NumPictures,
    Processes,
    Recipe,
    ShortTrainings,
    mean_and_error,
)
from experiments.skipping.study import evenly
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Floats, Losses
from nas.values.weighing import values
from search_spaces.actions import parse_action
from search_spaces.files.durable.writing import write_text
from search_spaces.files.user_error import UserError
from search_spaces.unets.stock_space import SpaceForm

FEW: Final = (8, 16)
INDIFFERENCE: Final = 0.0005
RULES: Final = (Rule.PAPER, Rule.POSTERIOR)


def main(
    recorded: Annotated[Path, typer.Option(help="folder of `python -m experiments.decisions.record`")],
    out: Annotated[Path, typer.Option(help="folder of `python -m experiments.decisions.recovered`, or a new one")],
    num: Annotated[int, typer.Option(min=3, help="copies that are trained, those picked among them")] = 6,
    steps: Annotated[int, typer.Option(min=3, help="training steps of each")] = 60,
    num_prompts: Annotated[int, typer.Option(min=2, help="captions that each is scored on")] = 128,
    num_pictures: NumPictures = 1024,
    batch_size: BatchSize = 16,
    chunk_size: ChunkSize = 32,
    device: Device = "cpu",
    processes: Processes = 1,
) -> None:
    """Train some copies for a short while, and say whether the most valuable one helped most."""
    known = copied(read_recorded(recorded, SpaceForm.ANY))
    recipe = Recipe(
        steps=steps,
        num_prompts=num_prompts,
        num_pictures=num_pictures,
        batch_size=batch_size,
        chunk_size=chunk_size,
        device=device,
    )
    space = space_of(SpaceForm.ANY)
    chosen = {name: parse_action(name).apply(space.base) for name in candidates(known, num)}
    trained = ShortTrainings(out, recipe).all({BASE: space.base} | chosen, processes=processes)
    base = trained.pop(BASE)
    rows = {}
    last = -(-steps // 3)
    for name, own in trained.items():
        gained = mean_and_error(np.subtract(own.scores, base.scores))
        rows[name] = gained, mean_and_error(np.subtract(base.losses[-last:], own.losses[-last:]))
    lines = list(_table(known, rows))
    write_text(out / "copies.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def copied(recorded: Recorded, /) -> Recorded:
    """The part of a recording whose blocks can be copied: a ResNet that changes the channels cannot.

    Raises:
        UserError: There is none, or a single caption.
    """
    space = space_of(SpaceForm.ANY)
    copies = {str(action) for action in space.copies(space.base)}
    kept = [index for index, action in enumerate(recorded.actions) if copy_of(action) in copies]
    if not kept or recorded.losses.shape[1] == 1:
        raise UserError(
            f"copies are valued by removals recorded on two captions or more, but of this recording {len(kept)} can be "
            f"copied, on {recorded.losses.shape[1]} captions; record more"
        )
    return replace(
        recorded,
        actions=tuple(recorded.actions[index] for index in kept),
        losses=recorded.losses[kept],
        saved_ms=recorded.saved_ms[kept],
        excludes=frozenset(),  # of removals; copies exclude nothing
    )


def worth(recorded: Recorded, rule: Rule, /, *, num: int) -> Floats:
    """(K,) values of the copies by the losses of their blocks' removals on the first so many captions."""
    lost = recorded.losses[:, :num]
    summed = Losses(
        means=lost.mean(axis=1),
        variances=lost.var(axis=1, ddof=1),
        nums=np.full(len(lost), float(lost.shape[1])),
        saved_ms=recorded.saved_ms,
    )
    return values(summed, ValueRule(rule=rule, indifference=INDIFFERENCE), highest=True)


def picks(recorded: Recorded, /) -> dict[str, str]:
    """The copy that each rule picks with so many captions, by rule and captions in words."""
    return {
        f"{rule.value}, {num}": copy_of(recorded.actions[int(np.argmax(worth(recorded, rule, num=num)))])
        for rule in RULES
        for num in _nums(recorded.losses.shape[1])
    }


def _nums(recorded: int) -> list[int]:
    """Captions that a pick is tried with, of so many that were recorded."""
    return [*(few for few in FEW if few < recorded), recorded]


def candidates(recorded: Recorded, num: int, /) -> list[str]:
    """Copies to train, the most valuable by all captions first: all that are picked, and others evenly by value."""
    order = np.argsort(-worth(recorded, Rule.PAPER, num=recorded.losses.shape[1]), kind="stable")
    copies = [copy_of(recorded.actions[index]) for index in order]
    picked = [name for name in copies if name in picks(recorded).values()]
    others = evenly([name for name in copies if name not in picked], max(num - len(picked), 0))
    return [name for name in copies if name in picked or name in others]


def copy_of(removal: str, /) -> str:
    """The action that copies the block of a removal."""
    return str(parse_action(removal).inverse)


def _table(recorded: Recorded, rows: dict[str, tuple[tuple[float, float], tuple[float, float]]]) -> Iterator[str]:
    """Markdown: a row per copy, then who was picked, at what place it came out, and how the orders agree."""
    num = recorded.losses.shape[1]
    space = space_of(SpaceForm.ANY)
    price_ms = prices_of(space)
    index = {copy_of(action): number for number, action in enumerate(recorded.actions)}
    tried = {few: worth(recorded, Rule.PAPER, num=few) for few in _nums(num)}
    heads = "".join(f" value, {few} captions |" for few in tried)
    yield f"| copy | adds, ms |{heads} CLIP gained | error less |"
    yield "|---|---:|" + "---:|" * (len(tried) + 2)
    for name, (gained, less) in rows.items():
        added = price_ms(parse_action(name).apply(space.base)) - price_ms(space.base)
        cells = "".join(f" {tried[few][index[name]]:+.4f} |" for few in tried)
        yield (
            f"| `{name}` | {added:.2f} |{cells} {gained[0]:+.4f} ± {gained[1]:.4f} | {less[0]:+.5f} ± {less[1]:.5f} |"
        )
    yield ""
    names = list(rows)
    for what, place in (("CLIP gained", 0), ("error less", 1)):
        after = np.array([rows[name][place][0] for name in names])
        ranks = {name: 1 + int((after > own).sum()) for name, own in zip(names, after, strict=True)}
        yield f"by {what}: " + "; ".join(
            f"{how} picks {name}, place {ranks[name]} of {len(names)}" for how, name in picks(recorded).items()
        )
        for few, value in tried.items():
            tau = kendalltau([value[index[name]] for name in names], after)
            yield f"tau of the value with {few} captions: {tau.statistic:+.2f} (p = {tau.pvalue:.2f})"


if __name__ == "__main__":
    run(main)
