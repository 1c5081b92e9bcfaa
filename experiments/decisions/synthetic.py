"""How right are races on made-up losses, whose truth is known? What a group costs too much, and what it took.

    python -m experiments.decisions.synthetic --races 200

Twenty contestants that save different milliseconds race for four places on 128 prompts in chunks of 8. Losses lie from
harmless to vital; three families differ in how a size becomes a mean and a tail. Printed, per family and method: mean
opportunity cost by the true means, for the same milliseconds; the expected one that races by the expected loss ended
with, which should be about the same; the share of exhaustive scoring's pictures. Cost: some minutes of a core.
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Final, TypeAlias

import numpy as np
import typer

from experiments.command import run
from nas.racing.opportunity import OpportunityRace
from nas.racing.race import Race
from nas.racing.settings import RacingSettings
from nas.values.group import Choice
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Floats

NUM, PLACES, PROMPTS, CHUNK = 20, 4, 128, 8
Made: TypeAlias = tuple[Floats, Floats]  # true means (K,), losses (K, N)
PAPER: Final = ValueRule(rule=Rule.PAPER)
BELIEVED: Final = ValueRule(rule=Rule.POSTERIOR, indifference=0.0005)


def second_order(rng: np.random.Generator) -> Made:
    """What changes pictures little costs next to nothing: means go with the square of the spread."""
    spread = 10 ** rng.uniform(-4, -1, (NUM, 1))
    means = 3 * spread**2 * rng.exponential(size=(NUM, 1))
    return means[:, 0], means + spread * rng.standard_normal((NUM, PROMPTS))


def first_order(rng: np.random.Generator) -> Made:
    """Means as large as spreads, with a long upper tail."""
    scale = 10 ** rng.uniform(-4, -1, (NUM, 1))
    tail = rng.lognormal(-0.72, 1.2, size=(NUM, PROMPTS))  # of mean 1
    return 1.3 * scale[:, 0], scale * (0.3 + rng.standard_normal((NUM, PROMPTS)) + tail)


def rare(rng: np.random.Generator) -> Made:
    """A few prompts in a hundred lose much, all others nothing."""
    share, size = rng.uniform(0.01, 0.2, (NUM, 1)), 10 ** rng.uniform(-3, -0.5, (NUM, 1))
    losses = (rng.random((NUM, PROMPTS)) < share) * rng.exponential(size=(NUM, PROMPTS)) * size
    return (share * size)[:, 0], losses


FAMILIES: Final[tuple[Callable[[np.random.Generator], Made], ...]] = (second_order, first_order, rare)


def main(races: Annotated[int, typer.Option(min=1, help="of each family and method")] = 200) -> None:
    """How right are races on made-up losses, whose truth is known?"""
    print(
        "| losses | method | opportunity cost | its standard error | expected | pictures |\n|---|---|---|---|---|---|"
    )
    for family in FAMILIES:
        rows: dict[str, list[tuple[float, float, float]]] = {}
        for number in range(races):
            rng = np.random.default_rng([number, FAMILIES.index(family)])
            true, losses = family(rng)
            saved_ms = rng.lognormal(0, 0.7, NUM)
            for method, group, share, expected in _decided(losses, saved_ms):
                rows.setdefault(method, []).append((_regret(group, true, saved_ms), share, expected))
        for method, outcomes in rows.items():
            costs, shares, expected_ = np.array(outcomes).T
            error = costs.std(ddof=1) / np.sqrt(races)
            told = "" if np.isnan(expected_).any() else f"{expected_.mean():.5f}"
            print(f"| {family.__name__} | {method} | {costs.mean():.5f} | {error:.5f} | {told} | {shares.mean():.0%} |")


def _decided(losses: Floats, saved_ms: Floats) -> Iterator[tuple[str, tuple[int, ...], float, float]]:
    """Method, its group, share of all pictures, and the loss that it expects to be wrong by."""
    saved = dict(enumerate(saved_ms.tolist()))
    race = Race(saved, num_prompts=PROMPTS, chunk_size=CHUNK, num_places=PLACES, settings=RacingSettings())
    while not race.finished:
        race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
    spent = sum(race.verdict.num_prompts.values()) / losses.size
    exhaustive = tuple(np.argsort(losses.mean(axis=1) / saved_ms)[:PLACES].tolist())
    yield "paper, all prompts", exhaustive, 1.0, np.nan
    yield "paper, elimination", race.verdict.selected, spent, np.nan
    for tolerance in (0.0, 0.001, 0.005):
        contest = OpportunityRace(
            range(NUM),
            choice=Choice(saved_ms=tuple(saved_ms.tolist()), num=PLACES),
            num_prompts=PROMPTS,
            chunk_size=CHUNK,
            rule=BELIEVED,
            settings=RacingSettings(tolerance=tolerance),
        )
        while not contest.finished:
            contest.observe({index: losses[index, :num].tolist() for index, num in contest.wanted.items()})
        verdict = contest.verdict
        spent = sum(verdict.num_prompts.values()) / losses.size
        yield f"posterior, expected loss {tolerance:g}", verdict.selected, spent, contest.expected_loss


def _regret(group: tuple[int, ...], true: Floats, saved_ms: Floats) -> float:
    """What a group loses more than the best one would for the same milliseconds."""
    best = np.argsort(true / saved_ms)[:PLACES]
    own = list(group)
    return max(0.0, float(true[own].sum() - saved_ms[own].sum() * true[best].sum() / saved_ms[best].sum()))


if __name__ == "__main__":
    run(main)
