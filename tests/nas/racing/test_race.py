"""Races: how often they err on losses of many shapes, what they save, and the laws that hold for each of them.

`python -m tests.nas.test_racing` prints the tables of docs/racing.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nas.algorithms.value_score import ScoredAction, ranked
from nas.racing.comparisons import Floats, Tolerance, look_schedule, surely_no_worse
from nas.racing.race import Direction, Race, Verdict, exhaustive
from nas.racing.settings import RacingSettings
from nas.scores.intervals import paired_loss
from search_spaces import Action
from tests.leisure import examples, some
from tests.nas.synthetic import shapes_space

Family = Callable[[np.random.Generator, int, int], Floats]
SEEDS = st.integers(0, 2**32 - 1)


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


# --- how often races err

ALLOWED = 1 - RacingSettings().confidence
NUM_RACES = 60  # the fewest that can show it, with not one error among them


def most_errors(share: float, /, *, num_races: int = NUM_RACES) -> float:
    """The highest true rate of errors that shows so few in so many races by a chance of 5 % (Clopper and Pearson)."""
    errors = round(share * num_races)
    return float(stats.beta.ppf(0.95, errors + 1, num_races - errors))


def test_a_single_error_would_show_too_little() -> None:
    assert most_errors(0.0) == pytest.approx(1 - 0.05 ** (1 / NUM_RACES))
    assert most_errors(0.0) <= ALLOWED < most_errors(1 / NUM_RACES)
    assert most_errors(2 / 124, num_races=124) <= ALLOWED < most_errors(2 / 124, num_races=123)


@pytest.mark.parametrize("num_prompts", some([32, 128, 512]))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_race_seldom_chooses_another_group_than_exhaustive_scoring(family: Family, num_prompts: int) -> None:
    num_races = (
        124 if family is zero_inflated else NUM_RACES
    )  # it errs now and then: two of 124 show as much as none of 60
    assert most_errors(simulate(family, num_prompts, num_races=num_races).errors, num_races=num_races) <= ALLOWED


@pytest.mark.parametrize("family", [correlated, lognormal, decades])
def test_nor_another_order_when_that_matters(family: Family) -> None:
    assert most_errors(simulate(family, 128, num_races=NUM_RACES, ordered=True).errors) <= ALLOWED


def test_what_is_lost_to_a_tolerance_stays_within_it() -> None:
    rng, worse = np.random.default_rng(0), 0
    tolerance = Tolerance(latency_error=0.05, indifference=0.001)
    for _ in range(NUM_RACES):
        saved_ms, losses = rng.lognormal(0, 0.7, 20), decades(rng, 20, 256)
        verdict = race(losses, saved_ms, latency_error=0.05, settings=RacingSettings(indifference=0.001))
        chosen = np.array(verdict.selected)
        values = losses.mean(axis=1) / saved_ms
        displaced = np.setdiff1d(np.arange(20), chosen)
        excess = values[chosen][:, None] - values[displaced][None, :]
        worse += bool((excess > tolerance.of_values(values, saved_ms=saved_ms)[np.ix_(chosen, displaced)]).any())
    assert most_errors(worse / NUM_RACES) <= ALLOWED


def test_nothing_is_sure_of_what_three_prompts_in_a_hundred_show() -> None:
    """The limit that docs/racing.md states: a sample that misses every failure looks like a perfect one."""
    assert simulate(rare, 512, num_races=40).errors > 0.05


# --- what races save


def test_more_prompts_are_the_better_raced() -> None:
    shares = [simulate(decades, num_prompts, num_races=30).share for num_prompts in (32, 128, 512, 2048)]
    assert all(later < earlier for earlier, later in pairwise(shares))
    assert shares[-1] < 0.2


def test_more_indifference_needs_fewer_pictures() -> None:
    shares = [simulate(decades, 256, num_races=30, indifference=e).share for e in (1e-5, 1e-4, 1e-3, 1e-2)]
    assert all(more <= less for less, more in pairwise(shares))


@given(SEEDS, st.floats(0, 1), st.floats(0, 1))
@examples(50)
def test_two_contestants_never_race_longer_for_more_indifference(seed: int, one: float, other: float) -> None:
    losses = np.random.default_rng(seed).normal([[0.0], [0.1]], 1, (2, 128))
    used = [
        race(losses, np.ones(2), num_places=1, settings=RacingSettings(indifference=indifference)).num_prompts[0]
        for indifference in sorted([one, other])
    ]
    assert used[1] <= used[0]


# --- laws


@given(SEEDS, st.integers(1, 12), st.integers(1, 40), st.integers(1, 6), st.booleans(), st.sampled_from(Direction))
@examples(60)
def test_a_race_that_is_never_sure_is_exhaustive_scoring(
    seed: int, num: int, num_prompts: int, num_places: int, ordered: bool, direction: Direction
) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = rng.integers(-2, 3, (num, num_prompts)) / 4, rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0], num)
    never = RacingSettings(confidence=1 - 1e-15, min_prompts=max(2, num_prompts))
    verdict = race(losses, saved_ms, num_places=num_places, direction=direction, ordered=ordered, settings=never)
    assert verdict.selected == reference(losses, saved_ms, num_places=num_places, direction=direction)


@given(SEEDS, st.booleans(), st.sampled_from(Direction), st.floats(0, 0.1))
@examples(60)
def test_a_race_ends_with_full_places_and_bounded_pictures(
    seed: int, ordered: bool, direction: Direction, latency_error: float
) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 12, 60), rng.lognormal(0, 0.7, 12)
    verdict = race(losses, saved_ms, direction=direction, ordered=ordered, latency_error=latency_error)
    assert len(set(verdict.selected)) == len(verdict.selected) == 4
    assert all(16 <= num <= 60 and (num % 8 == 0 or num == 60) for num in verdict.num_prompts.values())
    assert all(chosen in verdict.selected for chosen, _ in verdict.ties)
    if not ordered:
        assert all(displaced not in verdict.selected for _, displaced in verdict.ties)


@given(SEEDS, st.booleans())
@examples(30)
def test_the_order_of_contestants_does_not_matter(seed: int, ordered: bool) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10)

    def verdict(names: list[int]) -> Verdict[int]:
        racing = Race(
            {name: saved_ms[name] for name in names}, num_prompts=64, chunk_size=8, num_places=3, ordered=ordered
        )
        while not racing.finished:
            look = racing.next_look()
            mine = [name for name in names if name in look.contestants]
            racing.observe({name: losses[name, : look.num_prompts].tolist() for name in mine})
        return racing.verdict

    assert verdict(rng.permutation(10).tolist()) == verdict(list(range(10)))


@given(SEEDS, st.integers(-10, 10), st.sampled_from([0.0, 0.05]))
@examples(30)
def test_the_unit_of_the_loss_does_not_matter(seed: int, power: int, latency_error: float) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms, unit = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10), 2.0**power
    verdicts = [
        race(scale * losses, saved_ms, latency_error=latency_error, settings=RacingSettings(indifference=scale * 1e-3))
        for scale in (1.0, unit)
    ]
    assert verdicts[0] == verdicts[1]


@given(SEEDS)
@examples(30)
def test_the_shared_base_does_not_matter_when_all_save_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), np.full(10, 0.5)
    assert race(losses + rng.normal(size=64), saved_ms) == race(losses, saved_ms)


@given(SEEDS, st.sampled_from([0.0, 0.05]), st.sampled_from([0.0, 0.003]))
@examples(30)
def test_the_lowest_are_the_highest_of_the_negated(seed: int, latency_error: float, indifference: float) -> None:
    rng = np.random.default_rng(seed)
    losses, saved_ms = decades(rng, 10, 64), rng.lognormal(0, 0.7, 10)
    options: dict[str, Any] = {
        "latency_error": latency_error,
        "settings": RacingSettings(indifference=indifference),
    }
    lowest = race(losses, saved_ms, **options)
    assert race(-losses, saved_ms, direction=Direction.HIGHEST, **options) == lowest


@pytest.mark.parametrize(
    ("ordered", "num", "comparisons"), [(False, 4, 4 * 6), (True, 4, 4 * 6 + 6), (True, 9, 9 * 1 + 36)]
)
def test_the_chance_to_err_is_shared_by_all_comparisons_that_can_decide(
    ordered: bool, num: int, comparisons: int
) -> None:
    """4 of 10 meet the other 6, and each other where their order counts; with a tolerance all 45 pairs may."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        losses, saved_ms = normal(rng, 10, 256), np.ones(10)
        losses += np.linspace(0, 2, 10)[:, None]  # so far apart that the chance to err says how soon all are told apart
        for share in (0.0005, 0.005):
            nums = [
                race(losses, saved_ms, num_places=num, ordered=ordered, settings=each).num_prompts
                for each in (
                    RacingSettings(confidence=1 - share * comparisons),
                    RacingSettings(confidence=1 - share * 45, indifference=1e-12),
                )
            ]
            assert nums[0] == nums[1]


def test_the_reference_ranks_as_value_scores_do() -> None:
    space, rng = shapes_space(), np.random.default_rng(0)
    actions = space.removals(space.base)
    before, scores = rng.random(24), {action: rng.random(24) for action in actions}
    saved_ms = dict(zip(actions, rng.uniform(-0.1, 1, len(actions)).tolist(), strict=True))
    ranking = ranked(
        ScoredAction(action=a, d_clip=paired_loss(before.tolist(), scores[a].tolist()), d_latency_ms=saved_ms[a])
        for a in actions
    )
    losses = {action: (before - scores[action]).tolist() for action in actions}
    useful = tuple(scored.action for scored in ranking if scored.d_latency_ms > 0)
    assert exhaustive(losses, saved_ms=saved_ms, num_places=99) == useful
    assert exhaustive(losses, saved_ms=saved_ms, num_places=99, direction=Direction.HIGHEST) == useful[::-1]


# --- zeros, ties, edges


def test_the_harmful_leave_at_once_and_equals_race_to_the_end() -> None:
    losses = np.random.default_rng(0).exponential([[0.0], [0.0], [0.0], [1.0], [1.0]], (5, 64))
    verdict = race(losses, np.array([1.0, 0.5, 2.0, 1.0, 1.0]), num_places=2)
    assert verdict.selected == (0, 1)
    assert verdict.num_prompts == {0: 64, 1: 64, 2: 64, 3: 16, 4: 16}
    assert verdict.ties == ((0, 2), (1, 2))


def test_indifference_ends_a_race_of_equals() -> None:
    losses = np.random.default_rng(0).exponential([[0.0], [0.0], [0.0], [1.0], [1.0]], (5, 64))
    verdict = race(losses, np.ones(5), num_places=2, settings=RacingSettings(indifference=0.001))
    assert verdict.selected == (0, 1)
    assert max(verdict.num_prompts.values()) == 24  # only once the spread of the harmful has left the race
    assert verdict.ties == ((0, 2), (1, 2))


def test_values_within_the_tables_error_are_a_tie() -> None:
    rng = np.random.default_rng(0)
    losses = np.array([[1.0], [1.02], [3.0]]) + 0.1 * rng.normal(size=(3, 256))
    exact, loose = (race(losses, np.ones(3), num_places=1, latency_error=error) for error in (0.0, 0.05))
    assert exact.ties == ()
    assert loose.ties == ((0, 1),)
    assert loose.selected == (0,)
    assert sum(loose.num_prompts.values()) < sum(exact.num_prompts.values())


def test_a_clean_record_of_few_prompts_is_no_proof_where_others_fail() -> None:
    rng = np.random.default_rng(0)
    losses = np.vstack([np.zeros(16), np.full(16, 0.01) + 1e-6 * rng.normal(size=16), rng.exponential(1, (6, 16))])
    options: dict[str, Any] = {"num_prompts": 512, "error": 1e-4, "tolerance": Tolerance()}
    assert surely_no_worse(losses[:2], saved_ms=np.ones(2), **options)[0, 1]
    assert not surely_no_worse(losses, saved_ms=np.ones(8), **options)[0, 1]


def test_who_saves_nothing_is_never_scored() -> None:
    verdict = race(np.random.default_rng(0).normal(size=(3, 32)), np.array([0.0, 1.0, -0.5]), num_places=3)
    assert verdict.selected == (1,)
    assert verdict.num_prompts == {0: 0, 1: 16, 2: 0}
    assert Race({}, num_prompts=8, chunk_size=8, num_places=1).finished


def test_a_race_takes_actions() -> None:
    actions = [Action.parse("-resnet[mid,0]"), Action.parse("-resnet[mid,1]")]
    racing = Race(dict.fromkeys(actions, 1.0), num_prompts=8, chunk_size=4, num_places=1)
    look = racing.next_look()
    racing.observe(dict(zip(look.contestants, ([0.5] * 8, [0.25] * 8), strict=True)))
    assert racing.verdict.selected == (actions[1],)


@pytest.mark.parametrize("tolerance", [Tolerance(), Tolerance(latency_error=0.1, indifference=0.02)])
@pytest.mark.parametrize("seed", range(12))  # each holds six answers; a wrong formula gives some of them otherwise
def test_comparisons_are_those_of_the_documented_formulas(tolerance: Tolerance, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, num_prompts, error, weight = 6 + 2 * seed, 100, 0.2, 2  # prompts that the common spread weighs
    losses, saved_ms = lognormal(rng, 6, n) - 0.9, rng.lognormal(0, 0.7, 6)
    centred = losses - losses.mean(axis=0)
    pooled = (centred - centred.mean(axis=1, keepdims=True)).var() * 6 * n / (5 * (n - 1))
    sure = surely_no_worse(losses, saved_ms=saved_ms, num_prompts=num_prompts, error=error, tolerance=tolerance)
    assert not sure.diagonal().any(), "nobody is compared with itself"
    for b, a in np.argwhere(~np.eye(6, dtype=bool)):
        signs, u = np.sign(losses.mean(axis=1)), tolerance.latency_error
        weights = (1 - u * signs[b]) / saved_ms[b], (1 + u * signs[a]) / saved_ms[a]
        y = weights[1] * losses[a] - weights[0] * losses[b]
        prior = pooled * (weights[0] ** 2 + weights[1] ** 2)
        variance = ((n - 1) * y.var(ddof=1) + weight * prior) / (n - 1 + weight)
        skewness, t = ((y - y.mean()) ** 3).mean() / variance**1.5, stats.t.isf(error, n - 1)
        if skewness < 0:
            hall = 3 * np.sqrt(n) / skewness * (np.cbrt(1 + skewness * (t / np.sqrt(n) - skewness / (6 * n))) - 1)
            t = max(t, hall)
        low = y.mean() + tolerance.indifference / saved_ms[b] - t * np.sqrt(variance * (1 / n - 1 / num_prompts))
        assert sure[b, a] == (low > 0)


def test_looks_are_whole_chunks_and_end_with_all() -> None:
    assert look_schedule(num_prompts=100, chunk_size=8, min_prompts=16, growth=1.5) == (16, 24, 40, 64, 96, 100)
    assert look_schedule(num_prompts=10, chunk_size=8, min_prompts=16, growth=1.5) == (10,)
    assert look_schedule(num_prompts=20, chunk_size=8, min_prompts=2, growth=1.0) == (8, 16, 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 1.0}, "confidence: must be less than 1, but got 1.0"),
        ({"min_prompts": 1}, "min_prompts: must be greater than or equal to 2, but got 1"),
        ({"growth": 0.9}, "growth: must be greater than or equal to 1, but got 0.9"),
        ({"indifference": -0.1}, "indifference: must be greater than or equal to 0, but got -0.1"),
    ],
)
def test_settings_are_checked(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RacingSettings(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_prompts": 0}, "`num_prompts` of a race must be at least 1, but got 0"),
        ({"num_places": 0}, "`num_places` of a race must be at least 1, but got 0"),
        ({"latency_error": 1.0}, r"`latency_error` is relative and must lie in \[0, 1\), but got 1.0"),
    ],
)
def test_a_race_checks_what_it_is_about(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Race({0: 1.0}, **{"num_prompts": 8, "chunk_size": 4, "num_places": 1, **options})


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({0: [0.0] * 8}, r"1 are missing \(\[1\]\)"),
        ({0: [0.0] * 8, 1: [0.0] * 8, 7: [0.0]}, r"1 are not asked for \(\[7\]\)"),
        ({0: [0.0] * 8, 1: [0.0] * 4}, r"the first 8 prompts, but got \{1: 4\}"),
        ({0: [0.0] * 8, 1: [float("nan")] * 8}, r"those of \[1\] are not"),
    ],
)
def test_a_look_takes_the_losses_that_it_asked_for(losses: dict[int, list[float]], message: str) -> None:
    racing = Race({0: 1.0, 1: 1.0}, num_prompts=8, chunk_size=4, num_places=1)
    with pytest.raises(ValueError, match=message):
        racing.observe(losses)


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
