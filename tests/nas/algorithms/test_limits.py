"""Limits and lists of targets: what Algorithm 1 makes of them, and what is refused before anything is scored."""

from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.checking import check_step, check_takes
from nas.algorithms.combinators.screened import Screened
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.feasibility import InfeasibleTargetError, check_feasible, emptiest, fastest
from nas.algorithms.problem import EVERYTHING, LATENCY, MACS, PARAMS, SCORE, Limit, Problem, within_limits
from nas.algorithms.settings import EvolvingSettings, LimitSettings, ScoringSettings, Screen
from nas.algorithms.steps import Finish, Score, StopReason
from nas.settings import SettingsError
from nas.testing.playing import SMALL_UNET, MacsMs, play
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError

SPACE = space_from_config(SMALL_UNET, max_copies=1)
PRICE_MS = MacsMs(SPACE)
BASE_MS = PRICE_MS(SPACE.base)


def of_params(share: float) -> Limit:
    most = share * SPACE.num_params(SPACE.base)
    return Limit(name=PARAMS, setting="max_params", most=most, cost=SPACE.num_params)


def problem(ratio: float = 0.9, /, **parts: Any) -> Problem[EvolvingSettings]:
    settings = EvolvingSettings(**{"removals_per_round": 2, "max_copies": 0, **parts.pop("settings", {})})
    return Problem(space=SPACE, price_ms=PRICE_MS, target_latency_ms=ratio * BASE_MS, settings=settings, **parts)


def evolve(given: Problem[EvolvingSettings], **kwargs: Any) -> list[tuple[Any, Any]]:
    transcript = play(ArchitectureEvolving(given.settings), given, **kwargs)
    for step, _ in transcript:
        check_step(step, problem=given)
    return transcript


def finish(given: Problem[EvolvingSettings], **kwargs: Any) -> Finish:
    step = evolve(given, **kwargs)[-1][0]
    assert isinstance(step, Finish)
    return step


def test_every_limit_is_in_what_is_missed() -> None:
    given = problem(limits=(of_params(0.5),), worst_score=0.4)
    params = SPACE.num_params(SPACE.base)
    assert given.missed_by(SPACE.base, score=0.3) == {
        LATENCY: pytest.approx(0.1 * BASE_MS),
        PARAMS: pytest.approx(0.5 * params),
        SCORE: pytest.approx(0.1),
    }
    assert given.missed_by(SPACE.base, target_latency_ms=2 * BASE_MS).keys() == {PARAMS}
    least = emptiest(given, SPACE.base)
    assert given.missed_by(least, score=0.4) == {}
    assert (given.meets(least), given.meets(SPACE.base)) == (True, False)
    assert within_limits(given, [SPACE.base, least, SPACE.base]) == ((least,), 2)
    assert given.distance(given.missed_by(SPACE.base, score=0.3)) == pytest.approx(0.1 / 0.9 + 1)


def test_a_score_that_is_better_when_lower_has_its_worst_above() -> None:
    given = problem(worst_score=0.4, higher_is_better=False)
    assert [given.keeps_score(score) for score in (0.3, 0.4, 0.5)] == [True, True, False]
    assert given.missed_by(emptiest(given, SPACE.base), score=0.5) == {SCORE: pytest.approx(0.1)}


@pytest.mark.parametrize("salt", ["a", "b", "c"])
def test_removals_go_on_until_every_limit_is_kept(salt: str) -> None:
    alone, limited = (finish(problem(0.9, limits=limits), salt=salt) for limits in ((), (of_params(0.3),)))
    assert SPACE.num_params(alone.results[0].subject.architecture) > 0.3 * SPACE.num_params(SPACE.base)
    found = limited.results[0]
    assert not found.missed_by
    assert SPACE.num_params(found.subject.architecture) <= 0.3 * SPACE.num_params(SPACE.base)
    assert PRICE_MS(found.subject.architecture) <= 0.9 * BASE_MS


def test_what_a_limit_refuses_is_never_scored_and_is_counted() -> None:
    """Once the target is met, a removal is scored to find what is worth a copy: no copy fits, none is scored."""
    start = fastest(problem(), SPACE.base)
    share = SPACE.num_params(start) / SPACE.num_params(SPACE.base)
    settings = {"max_copies": 1, "keep_copies": False}
    roomy = problem(1.0, settings=settings, limits=(of_params(2.0),))
    tight = problem(1.0, settings=settings, limits=(of_params(1.0),))
    for given in (roomy, tight):
        (first,) = [step for step, _ in evolve(given)[:2] if isinstance(step, Score)]
        assert len(first.subjects) + first.num_refused == len(SPACE.removals(SPACE.base))
        for subject in first.subjects:
            assert subject.action is not None
            copied = subject.action.inverse.apply(SPACE.base)
            assert given.meets(copied)
    assert (len(first.subjects), first.num_refused) == (0, len(SPACE.removals(SPACE.base)))
    assert share < 1


def test_a_screen_does_not_count_what_was_refused_twice() -> None:
    """Where some copies fit and others do not, the cheap score looks at the removals that the limits leave."""
    given = problem(1.2, settings={"max_copies": 1, "keep_copies": False}, limits=(of_params(1.05),))
    inner = ArchitectureEvolving(given.settings)
    screened = Screened(inner, scoring=ScoringSettings(screen=Screen.SHORTLIST, shortlist=2), is_distance=True)
    asked = [[step for step, _ in play(each, given) if isinstance(step, Score)][:2] for each in (inner, screened)]
    alone, (cheap, reduced) = asked[0][0], asked[1]
    assert (cheap.by, alone.num_refused > 0, len(alone.subjects) > 0) == ("output_change", True, True)
    assert (cheap.num_refused, reduced.num_refused) == (0, alone.num_refused)


def test_a_search_without_further_limits_scores_all_that_it_always_scored() -> None:
    steps = [step for step, _ in evolve(problem(1.0, settings={"max_copies": 1})) if isinstance(step, Score)]
    assert [step.num_refused for step in steps] == [0] * len(steps)
    assert len(steps[0].subjects) == len(SPACE.removals(SPACE.base))


def test_the_search_stops_at_the_worst_allowed_score_and_hands_over_none_that_is_worse() -> None:
    free = evolve(problem(0.3))
    scores = [outcome.reference.score.mean for step, outcome in free[:-1] if isinstance(step, Score)]
    floor = sorted(scores)[1]
    assert len(scores) > 3
    stopped = finish(problem(0.3, worst_score=floor))
    assert stopped.reason is StopReason.SCORE_FLOOR
    assert stopped.results[0].score.mean >= floor
    assert stopped.results[0].missed_by.keys() == {LATENCY}
    hopeless = finish(problem(0.3, worst_score=2.0))
    assert (hopeless.reason, hopeless.results[0].round) == (StopReason.SCORE_FLOOR, 0)
    assert hopeless.results[0].missed_by.keys() == {LATENCY, SCORE}


def test_one_search_passes_through_easier_targets_and_has_a_result_for_each() -> None:
    easier = (0.9 * BASE_MS, 0.6 * BASE_MS)
    given = problem(0.4, easier_targets_ms=easier, settings={"removals_per_round": 50})
    transcript = evolve(given)
    found = transcript[-1][0]
    assert isinstance(found, Finish)
    assert [result.target_latency_ms for result in found.results] == [0.4 * BASE_MS, 0.6 * BASE_MS, 0.9 * BASE_MS]
    rounds_ms = [PRICE_MS(step.reference.architecture) for step, _ in transcript if isinstance(step, Score)]
    assert len(rounds_ms) == 4, "a group of any size ends at the next target, so that a round stands at each"
    for target, ms in zip(given.targets_ms, rounds_ms[1:], strict=True):
        assert ms <= target
    for result in found.results:
        assert result.target_latency_ms is not None
        assert not result.missed_by
        meeting = [
            outcome.reference.score.mean
            for step, outcome in transcript[:-1]
            if isinstance(step, Score) and PRICE_MS(step.reference.architecture) <= result.target_latency_ms
        ]
        assert result.score.mean == max(meeting)
    assert [result.label for result in found.results] == [f"{ms:.3f}ms" for ms in given.targets_ms[::-1]]


def test_the_way_to_the_hardest_target_with_easier_ones_in_between_is_the_way_without_them_when_steps_are_single() -> (
    None
):
    """Groups of one removal: easier targets change what is handed over, not what is done."""
    settings = {"removals_per_round": 1}
    plain, listed = (
        [step for step, _ in evolve(problem(0.5, easier_targets_ms=easier, settings=settings))[:-1]]
        for easier in ((), (0.9 * BASE_MS, 0.7 * BASE_MS))
    )
    assert [type(step) for step in plain] == [type(step) for step in listed]
    for one, other in zip(plain, listed, strict=True):
        if isinstance(one, Score) and isinstance(other, Score):
            assert (one.subjects, one.reference) == (other.subjects, other.reference)


def test_limits_that_cannot_be_kept_are_refused_with_what_is_reachable() -> None:
    least = emptiest(problem(0.01), SPACE.base)
    just_kept = replace(of_params(0.9), name=MACS, setting="max_macs", most=SPACE.num_params(least))
    given = problem(0.01, limits=(of_params(0.01), just_kept))
    with pytest.raises(InfeasibleTargetError) as refusal:
        check_feasible(given)
    told = str(refusal.value)
    assert f"`max_params` must be at least {SPACE.num_params(least):,}, the least reachable" in told
    assert f"architecture {least.arch_id}" in told
    assert "the target must be at least" in told, "all that is wrong is said at once"
    assert "`max_macs` must" not in told


def test_two_limits_that_contradict_each_other_are_named() -> None:
    """Every removal saves parameters; here all but those of one kind cost time instead of saving it."""

    def price_ms(architecture: Any) -> float:
        ms = 2.0
        for place, position in architecture.positions():
            own = SPACE.base.position(place, position.source)
            ms += 0.5 * (own.resnets - position.resnets) + 0.5 * position.cross_attentions
        return ms

    base_ms = price_ms(SPACE.base)
    given = replace(problem(), price_ms=price_ms, target_latency_ms=2.0)
    least, quickest = emptiest(given, SPACE.base), fastest(given, SPACE.base)
    assert price_ms(quickest) <= 2.0 < price_ms(least) < base_ms + 10
    most = (SPACE.num_params(least) + SPACE.num_params(quickest)) // 2
    limit = Limit(name=PARAMS, setting="max_params", most=most, cost=SPACE.num_params)
    with pytest.raises(InfeasibleTargetError, match=r"2\.000 ms and `max_params` \([\d,]+\) contradict each other"):
        check_feasible(replace(given, limits=(limit,)))
    check_feasible(replace(given, limits=(limit,), target_latency_ms=price_ms(least)))
    roomy = Limit(name=MACS, setting="max_macs", most=2.0 * SPACE.num_macs(SPACE.base), cost=SPACE.num_macs)
    with pytest.raises(InfeasibleTargetError, match=r"^the target of 2\.000 ms and `max_params` \([\d,]+\) contradict"):
        check_feasible(replace(given, limits=(roomy, limit)))


def test_an_algorithm_is_not_given_what_it_would_ignore() -> None:
    algorithm = ArchitectureEvolving(EvolvingSettings())
    given = problem(limits=(of_params(0.5),), worst_score=0.1, easier_targets_ms=(0.95 * BASE_MS,))
    check_takes(algorithm, given)
    assert given.objectives <= EVERYTHING

    class Narrow(ArchitectureEvolving):
        @property
        def declaration(self) -> Any:
            return replace(super().declaration, takes=frozenset({LATENCY, SCORE}))

    with pytest.raises(UserError, match="takes latency_ms, score into account, but not num_params, targets; leave"):
        check_takes(Narrow(EvolvingSettings()), given)


@pytest.mark.parametrize(
    ("parts", "law"),
    [
        ({"easier_targets_ms": (0.5 * BASE_MS,)}, "targets must fall by at least 0.001 ms"),
        ({"easier_targets_ms": (0.9 * BASE_MS + 1e-4,)}, "targets must fall"),
        ({"limits": (of_params(0.5), of_params(0.6))}, "names of their own"),
    ],
)
def test_problems_that_cannot_be(parts: dict[str, Any], law: str) -> None:
    with pytest.raises(UserError, match=law):
        problem(0.9, **parts)


def test_limits_must_be_positive_and_the_score_has_one_floor() -> None:
    with pytest.raises(UserError, match="`max_params` must be positive"):
        of_params(0)
    with pytest.raises(SettingsError, match=r"`min_clip` .* and `worst_score` .* are two limits of one score"):
        LimitSettings(min_clip=0.2, worst_score=0.3)
    with pytest.raises(SettingsError, match="min_clip: must be less than or equal to 1, but got 2"):
        LimitSettings(min_clip=2)  # a cosine, of which no search would come to know
    assert LimitSettings(min_clip=0.2).floor == LimitSettings(worst_score=0.2).floor == 0.2
