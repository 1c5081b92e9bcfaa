"""A screen before contests: every algorithm's laws, and what is free, contested and dropped."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nas.algorithms.checking import AlgorithmError, check, check_step
from nas.algorithms.combinators.screened import Screened, Screens
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import PARAMS, Limit, Problem
from nas.algorithms.settings import SQUARES, EvolvingSettings, ScoringSettings, Screen
from nas.algorithms.steps import Estimate, Extended, Finish, Score, Scored, Screening, Train, Trained, Verdict
from nas.scores.intervals import Interval
from nas.testing.algorithms import AlgorithmLaws
from nas.testing.playing import SMALL_UNET, MacsMs, made_up, play
from search_spaces import space_from_config

BY = "cheap"


def screened(*, is_distance: bool = True, evolving: EvolvingSettings | None = None, **scoring: Any) -> Screened[Any]:
    settings = ScoringSettings(**{"screen": Screen.SHORTLIST, "by": BY, **scoring})
    inner = ArchitectureEvolving(evolving or EvolvingSettings(removals_per_round=2, max_copies=1, overshoot=True))
    return Screened(inner, scoring=settings, is_distance=is_distance)


class TestShortlist(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Screened[Any]:
        return screened(shortlist=3, tolerance=0.2)  # made-up losses are differences of numbers in [0, 1)


class TestAlone(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> Screened[Any]:
        return screened(screen=Screen.ALONE)


def problem(algorithm: Screened[Any], *, ratio: float = 0.6) -> Problem[Any]:
    space = space_from_config(SMALL_UNET, max_copies=1)
    price_ms = MacsMs(space)
    return Problem(
        space=space,
        price_ms=price_ms,
        target_latency_ms=ratio * price_ms(space.base),
        settings=algorithm.settings,
        recovers=True,
    )


def estimate(loss: float, *, spread: float = 0.0) -> Estimate:
    interval = Interval(mean=loss, low=loss - spread, high=loss + spread, num_prompts=4, confidence=0.95)
    return Estimate(score=interval, loss=interval)


def reduced(algorithm: Screened[Any], change: Callable[[int], float], **more: Any) -> tuple[Screens[Any], Score, Score]:
    """The state after a screening with made-up changes, the screening, and the step that follows."""
    state = algorithm.start(more.get("problem") or problem(algorithm))
    state = algorithm.told(state, algorithm.step(state), Trained(digests=("w",)))
    screening = algorithm.step(state)
    assert isinstance(screening, Score)
    spread = more.get("spread", 0.0)
    outcome = Scored(
        reference=estimate(0.0),
        estimates=tuple(estimate(change(index), spread=spread) for index in range(len(screening.subjects))),
    )
    check(screening, outcome)
    state = algorithm.told(state, screening, outcome)
    step = algorithm.step(state)
    assert isinstance(step, Score)
    return state, screening, step


def test_all_are_screened_and_the_cheapest_changes_are_contested() -> None:
    algorithm = screened(shortlist=3, num_prompts=5)
    _, screening, step = reduced(algorithm, lambda index: 1.0 + index % 4)
    assert (screening.by, screening.num_prompts, screening.contest) == (BY, 5, None)
    assert screening.num_refused == 0, "the contest itself counts them"
    assert [each.action for each in screening.subjects] == [each.action for each in step.subjects]
    assert step.contest is not None
    assert step.screening is not None
    inner = ArchitectureEvolving(algorithm.settings)
    state = inner.start(problem(algorithm))
    whole = inner.step(inner.told(state, inner.step(state), Trained(digests=("w",))))
    assert isinstance(whole, Score)
    assert whole.contest is not None
    saved_ms = whole.contest.saved_ms
    values = sorted(saved_ms, key=lambda index: ((1.0 + index % 4) / saved_ms[index], index))
    assert set(step.contest.saved_ms) == set(step.scored) == set(values[:3])
    assert step.contest.num == whole.contest.num
    assert step.screening.free == ()
    assert set(step.screening.dropped) == set(values[3:])


def test_what_changes_nothing_gets_no_prompt_and_is_removed_first() -> None:
    algorithm = screened(shortlist=3, tolerance=1e-4)
    state, _, step = reduced(algorithm, lambda index: 0.0 if index == 4 else 1.0)
    assert step.screening is not None
    assert step.contest is not None
    assert step.screening.free == (4,)
    assert step.contest.num == 1, "one of the two places is taken"
    assert 4 not in step.scored
    assert len(step.scored) == 3
    outcome = made_up(step, number=0)
    assert isinstance(outcome, Scored)
    raced = replace(outcome, verdict=Verdict(chosen=(step.scored[2],)))
    for told, chosen in ((raced, [4, step.scored[2]]), (outcome, None)):
        after = algorithm.step(algorithm.told(state, step, told))
        assert isinstance(after, Train)
        assert after.decision is not None
        assert after.decision.actions[0] == step.subjects[4].action
        if chosen is not None:
            assert after.decision.actions == tuple(step.subjects[index].action for index in chosen)


def test_no_fewer_are_contested_than_there_are_places() -> None:
    _, _, step = reduced(screened(shortlist=1), lambda index: 1.0)
    assert step.contest is not None
    assert step.contest.num == len(step.contest.saved_ms) == 2


def test_what_free_ones_save_needs_not_be_saved_by_others() -> None:
    _, _, step = reduced(screened(tolerance=1e-4), lambda index: 0.0 if index == 4 else 1.0)
    assert step.contest is not None
    assert step.screening is not None
    whole = step.screening.contest
    assert whole.needed_ms is not None
    assert step.contest.needed_ms == pytest.approx(whole.needed_ms - whole.saved_ms[4])


def test_what_the_limits_refuse_is_counted_by_the_contest_alone() -> None:
    algorithm = screened(shortlist=2)
    given = problem(algorithm, ratio=1.0)
    space = given.space
    sizes = sorted(
        space.num_params(space.base) - space.num_params(a.apply(space.base)) for a in space.removals(space.base)
    )
    most = space.num_params(space.base) + sizes[len(sizes) // 2]  # copies of half the blocks are too large
    given = replace(given, limits=(Limit(name=PARAMS, setting="max_params", most=most, cost=space.num_params),))
    state, screening, step = reduced(algorithm, lambda index: 1.0, problem=given)
    assert screening.num_refused == 0
    assert step.num_refused > 0
    assert algorithm.told(state, step, made_up(step, number=0)).seen is None, "the next contest is screened anew"


def test_a_group_of_free_ones_needs_no_prompt_at_all_and_takes_the_largest_savings() -> None:
    algorithm = screened()
    state, _, step = reduced(algorithm, lambda index: 0.0)
    assert step.contest is None
    assert step.scored == ()
    after = algorithm.step(algorithm.told(state, step, made_up(step, number=0)))
    assert isinstance(after, Train)
    assert after.decision is not None
    given = problem(algorithm)
    base_ms = given.price_ms(given.space.base)

    def saved(action: Any) -> float:
        return base_ms - given.price_ms(action.apply(given.space.base))

    quickest = sorted((saved(each.action) for each in step.subjects), reverse=True)
    assert [saved(action) for action in after.decision.actions] == quickest[: len(after.decision.actions)]


def test_what_may_change_something_is_not_free() -> None:
    _, _, step = reduced(screened(tolerance=1e-4), lambda index: 0.0, spread=1e-3)
    assert step.screening is not None
    assert step.screening.free == ()
    _, _, step = reduced(screened(is_distance=False), lambda index: -1.0)
    assert step.screening is not None
    assert step.screening.free == (), "a loss that falls is no proof"


def test_free_screens_drop_nobody_but_for_lack_of_places() -> None:
    _, _, step = reduced(screened(screen=Screen.FREE), lambda index: 0.0 if index == 4 else 1.0)
    assert step.screening is not None
    assert step.screening.dropped == ()
    assert len(step.scored) == len(step.screening.changes) - 1


def test_for_copies_those_that_change_most_are_contested_and_free_ones_take_no_place() -> None:
    algorithm = screened(shortlist=2, evolving=EvolvingSettings(max_copies=1, overshoot=True))
    given = problem(algorithm, ratio=1.0)
    _, _, step = reduced(algorithm, lambda index: 0.0 if index < 2 else 1.0, problem=given)
    assert step.contest is not None
    assert step.screening is not None
    assert step.contest.highest
    assert step.contest.num == 1
    assert len(step.screening.free) == 2
    saved_ms = step.contest.saved_ms
    assert len(saved_ms) == 2
    least = min(1 / ms for ms in saved_ms.values())
    dropped = [step.subjects[index] for index in step.screening.dropped]
    assert all(
        1 / (given.price_ms(given.space.base) - given.price_ms(each.architecture)) <= least + 1e-12 for each in dropped
    )


def test_alone_it_decides_by_its_own_losses_and_only_rounds_are_scored() -> None:
    algorithm = screened(screen=Screen.ALONE)
    transcript = play(algorithm, problem(algorithm))
    plain = [step for step, _ in transcript if isinstance(step, Score) and step.is_plain]
    assert plain
    assert all(step.scored == () for step in plain if step.screening is not None)
    rounds = [outcome for step, outcome in transcript if isinstance(step, Score) and step.by == BY]
    assert rounds
    assert isinstance(transcript[-1][0], Finish)


def test_an_extension_goes_on_where_the_screened_search_ended() -> None:
    algorithm = screened(shortlist=3)
    given = problem(algorithm, ratio=0.8)
    state = algorithm.start(given)
    for step, outcome in play(algorithm, given):
        if outcome is None:
            tighter = replace(given, target_latency_ms=0.7 * given.price_ms(given.space.base))
            state = algorithm.told(state, step, Extended(problem=tighter))
        else:
            state = algorithm.told(state, step, outcome)
    assert isinstance(algorithm.step(state), Train)


def heard(
    change: Callable[[int], float], *, ratio: float = 0.6, screen: Screen = Screen.SHORTLIST
) -> tuple[Score, Scored]:
    """What the inner algorithm hears of a contest that was screened with made-up changes and not raced."""
    outcomes = list[tuple[Score, Scored]]()

    class Listening(ArchitectureEvolving):
        def told(self, state: Any, step: Any, outcome: Any, /) -> Any:
            outcomes.extend([(step, outcome)] if isinstance(outcome, Scored) else [])
            return super().told(state, step, outcome)

    scoring = ScoringSettings(screen=screen, by=BY, shortlist=2)
    algorithm = Screened(Listening(EvolvingSettings(overshoot=True)), scoring=scoring, is_distance=True)
    state, _, step = reduced(algorithm, change, problem=problem(algorithm, ratio=ratio))
    algorithm.told(state, step, made_up(step, number=0))
    return outcomes[0]


def test_the_distances_reach_the_inner_algorithm() -> None:
    changes = heard(lambda index: index / 10)[1].changes
    assert changes is not None
    assert changes == {index: pytest.approx(index / 10) for index in range(len(changes))}


def test_only_removals_that_are_free_are_chosen_without_a_race() -> None:
    assert heard(lambda index: 0.0 if index == 4 else 1.0)[1].verdict == Verdict(chosen=(4,))
    assert heard(lambda index: 1.0)[1].verdict is None, "nothing is free"
    assert heard(lambda index: 0.0 if index == 4 else 1.0, ratio=1.0)[1].verdict is None, "these are copies"


def test_alone_each_loss_is_its_own_and_belongs_to_no_contest() -> None:
    step, outcome = heard(lambda index: 1.0 + index, screen=Screen.ALONE)
    assert [each.loss.mean for each in outcome.estimates if each and each.loss] == [
        1.0 + index for index in range(len(step.subjects))
    ]
    assert step.contest is None, "its milliseconds and places are for scores of prompts"
    assert heard(lambda index: 1.0)[0].contest is not None


def test_of_squares_the_roots_are_distances_and_of_other_scores_nothing_is() -> None:
    square, roots = next(iter(SQUARES)), {0: 0.0, 1: 1.0, 4: 2.0}
    for by, is_distance, distances in ((square, True, roots), (square, False, {}), (BY, True, {})):
        algorithm = screened(by=by, is_distance=is_distance, screen=Screen.FREE, tolerance=0.0)
        _, _, step = reduced(algorithm, lambda index: float(index) if index else -1.0)
        assert step.contest is not None
        assert {index: size for index, size in step.contest.distances.items() if index in roots} == distances


@pytest.mark.parametrize(
    ("screening", "law"),
    [
        ({"changes": {99: 0.0}}, r"must name its \d+ subjects, but names \[99\]"),
        ({"changes": {}, "contested": (0,)}, r"contestants after a screening must be those that it leaves"),
    ],
)
def test_a_screening_that_its_step_contradicts_is_a_fault(screening: dict[str, Any], law: str) -> None:
    algorithm = screened()
    _, _, step = reduced(algorithm, lambda index: 1.0)
    assert step.contest is not None
    wrong = Screening(by=BY, contest=step.contest, **screening)
    with pytest.raises(AlgorithmError, match=law):
        check_step(replace(step, screening=wrong), problem=problem(algorithm))
