"""Replays: a decision from the first captions of a shuffled recording, judged by captions that it did not see."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from experiments.decisions.recorded import Recorded
from nas.evaluation.clip.glimpses import AMONG
from nas.evaluation.settings import CLIP_GLIMPSE
from nas.racing.allocation import Allocation, by_regret, everyone, ocba_m
from nas.racing.opportunity import OpportunityRace
from nas.racing.race import Race
from nas.racing.settings import RacingSettings
from nas.values.rule import Rule, ValueRule
from nas.values.sample import Floats, Losses
from nas.values.weighing import values
from search_spaces.files.user_error import UserError

INDIFFERENCE: Final = 0.0005
CHUNK: Final = 4
NUMS: Final = (5, 8, 16, 25, 48, 96, 256, 1024)
TOLERANCES: Final = (0.02, 0.01, 0.005, 0.0025, 0.001)
RATIOS: Final = (0.75, 0.62, 0.5)
SCREENED_BY: Final = 32  # passes of a cheap score on each removal, before a race that takes up its distances
ALONE: Final = (8, SCREENED_BY)
GLIMPSED: Final = (13, 32, 64, 128, 256, 512)  # captions, of three passes each: 64 are less than a tenth of 256
Decision: TypeAlias = tuple[tuple[int, ...], float, int]  # who goes; captions and other passes per removal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What a decision may use.

    Attributes:
        losses: (K, N) score lost on each caption.
        changes: By the name of a cheap score, its numbers (K, P): what rises when an action is executed.
    """

    losses: Floats
    changes: Mapping[str, Floats] = field(default_factory=dict)


Method: TypeAlias = Callable[[Recorded, Seen, float], Decision]  # of a recording, what is seen of it, a target


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """One decision.

    Attributes:
        method: Such as "posterior".
        setting: Captions of each removal, or the tolerance of a race.
        ratio: Target, as a share of the base's latency.
        seed: Of the shuffle.
        captions: Mean per removal; those of cheap scores aside.
        passes: Of the UNet, per removal; the base's own are not counted.
        true_loss: Sum of the chosen removals' mean losses on the captions that the decision did not see.
    """

    method: str
    setting: str
    ratio: float
    seed: int
    captions: float
    passes: float
    true_loss: float


def replays(
    recorded: Recorded,
    /,
    *,
    changes: Mapping[str, Floats],
    seeds: int,
    num_captions: int,
    methods: Sequence[str] = (),
    ratios: Sequence[float] = RATIOS,
    judge: Recorded | None = None,
) -> Iterator[Replayed]:
    """Every method on every seed and target.

    Args:
        recorded: What was scored.
        judge: The same removals on the same captions with pictures of another protocol, whose losses are the truth;
            None = those of `recorded`.
        changes: By the name of a cheap score of one pass, its numbers (K, P), on captions of their own.
        seeds: How many shuffles.
        num_captions: Captions that a decision may use; the others judge it.
        methods: Beginnings of the names of those that are wanted; none = all.
        ratios: Targets, as shares of the base's latency.

    Raises:
        UserError: No caption is left to judge by.
    """
    if num_captions >= (known := recorded.losses.shape[1]):
        raise UserError(
            f"a decision may use fewer captions than were recorded, since the others judge it, but `--num-captions` is "
            f"{num_captions} of {known}; give fewer, or record more"
        )
    wanted = {
        key: method
        for key, method in every_method(
            num_captions, screens={name: numbers.shape[1] for name, numbers in changes.items()}
        ).items()
        if not methods or any(key[0].startswith(name) for name in methods)
    }
    judging = recorded if judge is None else judge
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(recorded.losses.shape[1])
        truth = judging.losses[:, order[num_captions:]].mean(axis=1)
        drawn = {name: numbers[:, rng.permutation(numbers.shape[1])] for name, numbers in changes.items()}
        seen = Seen(losses=recorded.losses[:, order[:num_captions]], changes=drawn)
        for (method, setting), decide in wanted.items():
            for ratio in ratios:
                chosen, captions, others = decide(recorded, seen, ratio)
                yield Replayed(
                    method=method,
                    setting=setting,
                    ratio=ratio,
                    seed=seed,
                    captions=captions,
                    passes=captions * recorded.passes_per_picture + others,
                    true_loss=float(truth[list(chosen)].sum()),
                )


def every_method(num_captions: int, /, *, screens: Mapping[str, int]) -> dict[tuple[str, str], Method]:
    """By name and setting: each rule on as many captions as it is given, and races until a tolerance.

    Args:
        num_captions: At most.
        screens: Cheap scores that decide alone, and that races take distances from; of each, on how many captions it is
            known.
    """
    found: dict[tuple[str, str], Method] = {}
    for rule in Rule:
        for num in NUMS:
            if num <= num_captions:
                found[rule.value, str(num)] = _fixed(ValueRule(rule=rule, indifference=INDIFFERENCE), num)
    found["elimination, paper", "0.95"] = _eliminated
    for allocation in (by_regret, ocba_m, everyone):
        for tolerance in TOLERANCES:
            for rule in (Rule.POSTERIOR, Rule.UPPER_BOUND):
                name = f"race, {rule.value}, {allocation.__name__}"
                found[name, str(tolerance)] = _raced(rule, allocation, tolerance)
    posterior = ValueRule(rule=Rule.POSTERIOR, indifference=INDIFFERENCE)
    for screen in screens:
        for num in (each for each in (GLIMPSED if screen == CLIP_GLIMPSE else ALONE) if each <= screens[screen]):
            found[f"{screen} alone", str(num)] = _cheap(screen, num)
        if screen == CLIP_GLIMPSE:
            continue  # no distance
        for num in NUMS:
            if num <= num_captions:
                found[f"posterior, {screen}", str(num)] = _fixed(posterior, num, screen=screen)
        for tolerance in TOLERANCES:
            name = f"race, posterior, by_regret, {screen}"
            found[name, str(tolerance)] = _raced(Rule.POSTERIOR, by_regret, tolerance, screen=screen)
    return found


def _cheap(screen: str, num: int) -> Method:
    passes = len(AMONG) if screen == CLIP_GLIMPSE else 1

    def decide(recorded: Recorded, seen: Seen, ratio: float) -> Decision:
        values = seen.changes[screen][:, :num].mean(axis=1) / recorded.saved_ms
        return recorded.choice(ratio).group(values), 0.0, num * passes

    return decide


def _fixed(rule: ValueRule, num: int, *, screen: str = "") -> Method:
    others = SCREENED_BY if screen else 0

    def decide(recorded: Recorded, seen: Seen, ratio: float) -> Decision:
        distances = _distances(seen, screen)
        return _chosen(recorded, seen.losses[:, :num], rule, ratio=ratio, distances=distances), num, others

    return decide


def _chosen(
    recorded: Recorded, lost: Floats, rule: ValueRule, *, ratio: float, distances: Floats | None = None
) -> tuple[int, ...]:
    """Who goes, where so much is known of what is lost (K, n)."""
    summed = Losses(
        means=lost.mean(axis=1),
        variances=lost.var(axis=1, ddof=1),
        nums=np.full(len(lost), float(lost.shape[1])),
        saved_ms=recorded.saved_ms,
        distances=distances,
    )
    return recorded.choice(ratio, larger_first=rule.breaks_ties).group(values(summed, rule))


def _raced(rule: Rule, allocation: Allocation, tolerance: float, *, screen: str = "") -> Method:
    first, others = (CHUNK, SCREENED_BY) if screen else (2 * CHUNK, 0)  # what is known beforehand needs fewer captions

    def decide(recorded: Recorded, seen: Seen, ratio: float) -> Decision:
        losses, distances = seen.losses, _distances(seen, screen)
        race = OpportunityRace(
            range(len(losses)),
            choice=recorded.choice(ratio),
            num_prompts=losses.shape[1],
            chunk_size=CHUNK,
            rule=ValueRule(rule=rule, indifference=INDIFFERENCE),
            distances=None if distances is None else distances.tolist(),
            settings=RacingSettings(min_prompts=first, tolerance=tolerance),
            allocation=allocation,
        )
        while not race.finished:
            race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
        verdict = race.verdict
        return verdict.selected, float(np.mean(list(verdict.num_prompts.values()))), others

    return decide


def _distances(seen: Seen, screen: str) -> Floats | None:
    """(K,) sizes of the changes; None without a screen."""
    return np.sqrt(seen.changes[screen][:, :SCREENED_BY].mean(axis=1)) if screen else None


def _eliminated(recorded: Recorded, seen: Seen, ratio: float) -> Decision:
    """The race for exhaustive scoring's own choice, for as many places as that has."""
    rule = ValueRule(rule=Rule.PAPER)
    losses = seen.losses
    exhaustive, captions, _ = _fixed(rule, losses.shape[1])(recorded, seen, ratio)
    if recorded.excludes:
        return exhaustive, captions, 0  # no such race is run there
    race = Race(
        dict(enumerate(recorded.saved_ms.tolist())),
        num_prompts=losses.shape[1],
        chunk_size=CHUNK,
        num_places=len(exhaustive),
        settings=RacingSettings(),
    )
    while not race.finished:
        race.observe({index: losses[index, :num].tolist() for index, num in race.wanted.items()})
    return race.verdict.selected, float(np.mean(list(race.verdict.num_prompts.values()))), 0
