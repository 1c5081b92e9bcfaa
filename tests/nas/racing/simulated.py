"""Races over made-up losses of many shapes, beside exhaustive scoring.

`python -m tests.nas.racing.simulated` prints the tables of docs/racing.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.racing.comparisons import Floats
from nas.racing.race import Race, Verdict, exhaustive
from nas.racing.settings import RacingSettings

Family = Callable[[np.random.Generator, int, int], Floats]


def normal(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    return rng.uniform(0, 0.5, (num, 1)) + rng.normal(size=(num, num_prompts))


def correlated(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """Captions that are hard for all: five times the spread of what is the contestants' own."""
    return 2 * rng.normal(size=num_prompts) + 0.4 * normal(rng, num, num_prompts)


def exponential(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    return rng.uniform(1, 1.5, (num, 1)) * rng.exponential(size=(num, num_prompts))


def lognormal(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """Mean 1, standard deviation 1.8, skewness 11."""
    return rng.uniform(1, 1.5, (num, 1)) * rng.lognormal(-0.72, 1.2, size=(num, num_prompts))


def equal_lognormal(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """All alike: whoever leads does so by chance."""
    return rng.lognormal(-0.72, 1.2, size=(num, num_prompts))


def zero_inflated(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """Most prompts lose nothing: 3 to 30 per cent lose much."""
    hit = rng.random((num, num_prompts)) < rng.uniform(0.03, 0.3, (num, 1))
    return hit * rng.exponential(size=(num, num_prompts)) * rng.uniform(0.2, 0.7, (num, 1))


def decades(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """Blocks from harmless to vital, as in a trained UNet: losses of 0.0001 to 0.1, spread as wide as large."""
    scale = 10 ** rng.uniform(-4, -1, (num, 1))
    return scale * (0.3 + rng.normal(size=(num, num_prompts)) + equal_lognormal(rng, num, num_prompts))


def rare(rng: np.random.Generator, num: int, num_prompts: int) -> Floats:
    """Half of them lose 1 on three prompts in a hundred, half lose about the same mean on each: beyond any t test."""
    losses = (rng.random((num, num_prompts)) < 0.03).astype(np.float64)
    steady = losses[::2]
    steady[:] = 0.03 + rng.uniform(-0.01, 0.01, (len(steady), 1)) + 0.003 * rng.normal(size=steady.shape)
    return losses


FAMILIES = (normal, correlated, exponential, lognormal, equal_lognormal, zero_inflated, decades)


def race(
    losses: Floats, saved_ms: Floats, /, *, num_places: int = 4, chunk_size: int = 8, **options: Any
) -> Verdict[int]:
    """Run a race to its end over known losses (K, N)."""
    racing = Race(
        dict(enumerate(saved_ms.tolist())),
        num_prompts=losses.shape[1],
        chunk_size=chunk_size,
        num_places=num_places,
        **options,
    )
    while not racing.finished:
        look = racing.next_look()
        racing.observe({name: losses[name, : look.num_prompts].tolist() for name in look.contestants})
    return racing.verdict


def reference(losses: Floats, saved_ms: Floats, /, *, num_places: int = 4, **options: Any) -> tuple[int, ...]:
    by_name = dict(enumerate(losses.tolist()))
    return exhaustive(by_name, saved_ms=dict(enumerate(saved_ms.tolist())), num_places=num_places, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Over many races.

    Attributes:
        errors: Share of races that chose otherwise than exhaustive scoring.
        share: Pictures over those of exhaustive scoring.
        excess: Mean of the most that a chosen action loses beyond the price of the last of exhaustive scoring's group.
    """

    errors: float
    share: float
    excess: float


def simulate(family: Family, num_prompts: int, /, *, num_races: int, **racing: Any) -> Simulation:
    """Race twenty contestants that save different milliseconds for four places; `racing` are settings."""
    rng = np.random.default_rng([0, num_prompts])
    ordered = racing.pop("ordered", False)
    errors, shares, excesses = [], [], []
    for _ in range(num_races):
        saved_ms, losses = rng.lognormal(0, 0.7, 20), family(rng, 20, num_prompts)
        verdict = race(losses, saved_ms, ordered=ordered, settings=RacingSettings(**racing))
        expected = reference(losses, saved_ms)
        chosen, values = list(verdict.selected), losses.mean(axis=1) / saved_ms
        errors.append(verdict.selected != expected if ordered else set(chosen) != set(expected))
        shares.append(sum(verdict.num_prompts.values()) / losses.size)
        excesses.append(((values[chosen] - values[expected[-1]]) * saved_ms[chosen]).max())
    return Simulation(errors=float(np.mean(errors)), share=float(np.mean(shares)), excess=float(np.mean(excesses)))


def main() -> None:
    sizes = (32, 128, 512, 2048)

    def row(name: str, family: Family, **racing: Any) -> None:
        cells = [simulate(family, size, num_races=300, **racing) for size in sizes]
        texts = [f"{100 * cell.errors:.1f} / {100 * cell.share:.0f} / {cell.excess:.1e}" for cell in cells]
        print(f"| {name} |", " | ".join(texts), "|", flush=True)

    for family in (*FAMILIES, rare):
        row(family.__name__, family)
    row("rare, `min_prompts` 128", rare, min_prompts=128)
    row("decades, ordered", decades, ordered=True)
    for indifference in (1e-4, 1e-3, 1e-2):
        row(f"decades, `indifference` {indifference:g}", decades, indifference=indifference)


if __name__ == "__main__":
    main()
