"""What a round of Algorithm 1 decides, on synthetic searches: latencies and scores drawn at random, no model."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.algorithms.feasibility import (
    InfeasibleTargetError,
    allowed_removals,
    check_feasible,
    check_protected,
    emptiest,
    fastest,
)
from nas.algorithms.problem import Problem
from nas.algorithms.proposal import Proposal, candidates, contest, propose
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import StopReason
from nas.algorithms.value_score import ScoredAction, ranked
from nas.scores.intervals import Interval
from search_spaces import Action, Architecture, Sign, UNetSpace, space_from_config

SPACE = space_from_config(
    {
        "sample_size": 8,
        "block_out_channels": [8, 16, 16],
        "layers_per_block": 1,
        "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
        "attention_head_dim": 2,
        "cross_attention_dim": 8,
        "norm_num_groups": 4,
    },
    max_copies=1,
)
BLOCKS = tuple(action.block for action in SPACE.removals(SPACE.base))
FIXED_MS = 1.0


@dataclass(frozen=True, kw_only=True)
class Model:
    """What each block costs and is worth; a search over it is arithmetic."""

    ms: dict[str, float]
    worth: dict[str, float]
    space: UNetSpace = SPACE

    def _sum(self, architecture: Architecture, each: dict[str, float]) -> float:
        return sum(
            position.resnets * each.get(f"resnet[{place},{position.source}]", 0)
            + position.cross_attentions * each.get(f"cross_attention[{place},{position.source}]", 0)
            for place, position in architecture.positions()
        )

    def price_ms(self, architecture: Architecture, /) -> float:
        return FIXED_MS + self._sum(architecture, self.ms)

    def problem(
        self, target_latency_ms: float, /, *, protected: frozenset[str] = frozenset(), **settings: Any
    ) -> Problem[EvolvingSettings]:
        return Problem(
            space=self.space,
            price_ms=self.price_ms,
            target_latency_ms=target_latency_ms,
            settings=EvolvingSettings(**settings),
            protected=protected,
        )

    def ranking(self, architecture: Architecture, problem: Problem[EvolvingSettings]) -> tuple[ScoredAction, ...]:
        return ranked(
            scored(action, self.worth[action.block], self.price_ms(architecture) - self.price_ms(option))
            for action in candidates(problem, architecture)
            for option in [action.apply(architecture)]
        )


def scored(action: Action, d_clip: float, d_latency_ms: float) -> ScoredAction:
    interval = Interval(mean=d_clip, low=d_clip, high=d_clip, num_prompts=8, confidence=0.95)
    return ScoredAction(action=action, d_clip=interval, d_latency_ms=d_latency_ms)


@dataclass(frozen=True, kw_only=True)
class Step:
    before: Architecture
    after: Architecture
    proposal: Proposal


def evolve(model: Model, problem: Problem[EvolvingSettings]) -> list[Step]:
    """The search's loop, without training."""
    architecture, num_copies, steps = model.space.base, 0, list[Step]()
    while not steps or steps[-1].proposal.stop is None:
        assert len(steps) <= problem.settings.max_rounds, "a search ends at the latest with round `max_rounds`"
        proposal = propose(
            problem,
            architecture,
            ranking=model.ranking(architecture, problem),
            num_rounds=len(steps),
            num_copies=num_copies,
        )
        before = architecture
        for action in proposal.actions:
            architecture = action.apply(architecture)
        num_copies += sum(action.sign is Sign.COPY for action in proposal.actions)
        steps.append(Step(before=before, after=architecture, proposal=proposal))
    return steps


Search: TypeAlias = tuple[Model, Problem[EvolvingSettings]]


@st.composite
def models(draw: st.DrawFn) -> Model:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    free = draw(st.sampled_from([0.0, 0.2]))  # share of blocks that cost no time
    ms = {block: 0.0 if rng.random() < free else round(rng.uniform(0.1, 2), 3) for block in BLOCKS}
    return Model(ms=ms, worth={block: round(rng.normal(0.05, 0.05), 4) for block in BLOCKS})


@st.composite
def searches(draw: st.DrawFn) -> Search:
    model = draw(models())
    problem = model.problem(
        draw(st.floats(0.05, 1.1)) * model.price_ms(SPACE.base),
        removals_per_round=draw(st.integers(1, 5)),
        max_copies=draw(st.integers(0, 3)),
        overshoot=draw(st.booleans()),
        keep_copies=draw(st.booleans()),
        max_rounds=draw(st.integers(1, 20)),
        protected=draw(st.frozensets(st.sampled_from(BLOCKS), max_size=5)),
    )
    return model, problem


@given(searches())
def test_a_search_ends_with_its_target_met_or_with_the_reason_why_not(search: Search) -> None:
    model, problem = search
    steps = evolve(model, problem)
    last = steps[-1].after
    last_ms = model.price_ms(last)
    match steps[-1].proposal.stop:
        case StopReason.CONVERGED:
            assert last_ms <= problem.target_latency_ms
        case StopReason.BUDGET_SPENT:
            assert len(steps) == problem.settings.max_rounds + 1
        case StopReason.INFEASIBLE:
            assert last_ms > problem.target_latency_ms
            assert all(s.d_latency_ms <= 0 for s in model.ranking(last, problem))


@given(searches())
def test_a_reachable_target_is_met_when_there_are_rounds_enough(search: Search) -> None:
    model, problem = search
    problem = replace(problem, settings=replace(problem.settings, max_rounds=2 * len(BLOCKS), max_copies=0))
    reachable_ms = model.price_ms(fastest(problem, SPACE.base))
    stop = evolve(model, problem)[-1].proposal.stop
    assert stop is (StopReason.CONVERGED if reachable_ms <= problem.target_latency_ms else StopReason.INFEASIBLE)


@given(searches())
def test_a_group_of_removals_spares_protected_blocks_and_is_no_larger_than_it_must(
    search: Search,
) -> None:
    model, problem = search
    for step in evolve(model, problem):
        group = [action for action in step.proposal.actions if action.sign is Sign.REMOVE]
        assert len(group) <= problem.settings.removals_per_round
        assert problem.protected.isdisjoint(action.block for action in group)
        architecture = step.before
        for action in group:
            assert model.price_ms(architecture) > problem.target_latency_ms, "the target was met before the group ended"
            architecture = action.apply(architecture)


@given(searches())
def test_a_group_holds_the_cheapest_losses_that_save_time(search: Search) -> None:
    model, problem = search
    for step in evolve(model, problem):
        if group := [action for action in step.proposal.actions if action.sign is Sign.REMOVE]:
            ranking = [s.action for s in model.ranking(step.before, problem) if s.d_latency_ms > 0]
            assert group == ranking[: len(group)]


@given(searches())
def test_copies_come_one_at_a_time_after_the_target_is_met_and_stay_below_it(
    search: Search,
) -> None:
    model, problem = search
    num_copies = 0
    for step in evolve(model, problem):
        if any(action.sign is Sign.COPY for action in step.proposal.actions):
            num_copies += 1
            assert len(step.proposal.actions) == 1
            assert model.price_ms(step.before) <= problem.target_latency_ms
            assert problem.settings.overshoot or model.price_ms(step.after) <= problem.target_latency_ms
            assert model.worth[step.proposal.actions[0].block] > 0, "a block that is worth nothing was copied"
            SPACE.check(step.after)
    assert num_copies <= problem.settings.max_copies


@given(searches(), st.randoms(use_true_random=False))
def test_a_round_needs_to_know_no_more_than_its_contest(search: Search, random: Random) -> None:
    """Whoever finds the contest's winners, and knows nothing else, decides as the full ranking does."""
    model, problem = search
    num_copies = 0
    for number, step in enumerate(evolve(model, problem)):
        full = model.ranking(step.before, problem)
        options = candidates(problem, step.before)
        wanted = contest(problem, step.before, options=options)
        contestants = [s for s in full if options.index(s.action) in wanted.saved_ms]
        winners = contestants[-wanted.num :] if wanted.highest else contestants[: wanted.num]
        others = [s for s in full if s not in winners]
        random.shuffle(others)
        if not wanted.ordered:
            random.shuffle(winners)
        proposal = propose(
            problem,
            step.before,
            ranking=[*others, *winners] if wanted.highest else [*winners, *others],
            num_rounds=number,
            num_copies=num_copies,
        )
        assert set(proposal.actions) == set(step.proposal.actions)
        assert proposal.stop is step.proposal.stop
        num_copies += sum(action.sign is Sign.COPY for action in proposal.actions)


def test_the_order_within_a_group_is_asked_for_only_where_the_group_may_end_early() -> None:
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=dict.fromkeys(BLOCKS, 0.1))
    for needed_ms, ordered in ((2.0, True), (2.5, False)):
        problem = model.problem(model.price_ms(SPACE.base) - needed_ms, removals_per_round=3)
        assert contest(problem, SPACE.base, options=candidates(problem, SPACE.base)).ordered is ordered


def test_overshooting_copies_first_and_removes_again() -> None:
    ms = dict.fromkeys(BLOCKS, 1.0)
    worth = {block: 0.01 * (index + 1) for index, block in enumerate(BLOCKS)}
    model = Model(ms=ms, worth=worth)
    base_ms = model.price_ms(SPACE.base)
    tight, literal = (model.problem(base_ms, max_copies=1, overshoot=overshoot) for overshoot in (False, True))

    assert [step.proposal for step in evolve(model, tight)] == [Proposal(stop=StopReason.CONVERGED)]
    copied, removed, stopped = evolve(model, literal)
    assert model.price_ms(copied.after) == base_ms + 1
    assert removed.proposal.actions == (model.ranking(copied.after, literal)[0].action,)
    assert stopped.proposal.stop is StopReason.CONVERGED


def test_kept_copies_are_no_candidates_and_their_blocks_neither() -> None:
    copy = Action.parse("+cross_attention[up.2,1]")
    copied = copy.apply(SPACE.base)
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=dict.fromkeys(BLOCKS, 0.1))
    kept, free = (candidates(model.problem(1.0, keep_copies=keep), copied) for keep in (True, False))
    assert allowed_removals(model.problem(1.0), copied) == free, "a copy may go unless it is to be kept"
    assert set(free) - set(kept) == {copy.inverse}


def test_protected_blocks_are_no_candidates() -> None:
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=dict.fromkeys(BLOCKS, 0.1))
    options = candidates(model.problem(1.0, protected=frozenset({"resnet[mid,0]"})), SPACE.base)
    assert set(SPACE.removals(SPACE.base)) - set(options) == {Action.parse("-resnet[mid,0]")}


def test_the_copy_goes_to_the_most_valuable_block_that_can_be_copied() -> None:
    worth = {block: 0.5 if block == "cross_attention[up.1,0]" else 0.1 for block in BLOCKS}
    worth["resnet[up.0,0]"] = 0.9  # changes its channels: no copy fits behind it
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=worth)
    problem = model.problem(2 * model.price_ms(SPACE.base))
    assert evolve(model, problem)[0].proposal.actions == (Action.parse("+cross_attention[up.1,0]"),)


@given(models(), st.frozensets(st.sampled_from(BLOCKS), max_size=5))
def test_no_single_removal_makes_the_fastest_architecture_faster(model: Model, protected: frozenset[str]) -> None:
    problem = model.problem(1.0, protected=protected)
    quickest = fastest(problem, SPACE.base)
    for action in candidates(problem, quickest):
        assert model.price_ms(action.apply(quickest)) >= model.price_ms(quickest)
    # With additive latencies that is the global minimum: the fixed share and the protected blocks.
    assert model.price_ms(quickest) == pytest.approx(FIXED_MS + sum(model.ms[block] for block in protected))


@given(models(), st.floats(0.05, 1.0))
def test_a_target_is_refused_exactly_when_nothing_reaches_it(model: Model, ratio: float) -> None:
    problem = model.problem(ratio * model.price_ms(SPACE.base), protected=frozenset(BLOCKS[:2]))
    reachable_ms = FIXED_MS + model.ms[BLOCKS[0]] + model.ms[BLOCKS[1]]
    if reachable_ms > problem.target_latency_ms + 1e-9:
        with pytest.raises(InfeasibleTargetError) as refusal:
            check_feasible(problem)
        named = re.search(r"at least ([\d.]+) ms, the fastest reachable .* or ([\d.]+) of the base", str(refusal.value))
        assert named is not None
        base_ms = model.price_ms(SPACE.base)
        assert float(named[1]) == pytest.approx(reachable_ms, abs=1.001e-3)
        for target_ms in (float(named[1]), float(named[2]) * base_ms):  # either is a target that can be given
            check_feasible(replace(problem, target_latency_ms=target_ms + 1e-5))
    elif reachable_ms < problem.target_latency_ms - 1e-9:
        check_feasible(problem)


def test_a_feasible_target_costs_one_price() -> None:
    """A price may be a measurement."""
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=dict.fromkeys(BLOCKS, 0.1))
    priced = []

    def price_ms(architecture: Architecture) -> float:
        priced.append(architecture)
        return model.price_ms(architecture)

    check_feasible(replace(model.problem(3.0), price_ms=price_ms))
    assert len(priced) == 1


def test_the_refusal_of_a_target_says_what_is_reachable_and_what_to_do() -> None:
    model = Model(ms=dict.fromkeys(BLOCKS, 1.0), worth=dict.fromkeys(BLOCKS, 0.1))
    problem = model.problem(1.5, protected=frozenset({"resnet[mid,0]"}))
    with pytest.raises(InfeasibleTargetError) as refusal:
        check_feasible(problem)
    base_ms = 1 + len(BLOCKS)
    assert str(refusal.value) == (
        "the target must be at least 2.000 ms, the fastest reachable (0 cross-attentions, 1 ResNets, architecture "
        f"{emptiest(problem, SPACE.base).arch_id}, 1 protected "
        f"blocks), or {math.ceil(2000 / base_ms) / 1000:.3f} of the base model's {base_ms:.3f} ms, but is 1.500 ms or "
        f"{1.5 / base_ms:.3f}; raise `target_latency_ms` or `target_ratio`, whichever was given, or protect "
        "fewer blocks"
    )


def test_protected_blocks_must_exist() -> None:
    check_protected(SPACE, frozenset(BLOCKS))
    with pytest.raises(ValueError, match=r"does not have: \['resnet\[mid,7\]', 'resnet\[up\.9,0\]'\]; choose among"):
        check_protected(SPACE, frozenset({"resnet[mid,0]", "resnet[mid,7]", "resnet[up.9,0]"}))


@pytest.mark.parametrize(("field", "value"), [("removals_per_round", 0), ("max_rounds", 0), ("max_copies", -1)])
def test_settings_that_break_a_law_do_not_exist(field: str, value: int) -> None:
    settings: Callable[..., EvolvingSettings] = EvolvingSettings
    with pytest.raises(ValueError, match=f"{field}.* but got {value}"):
        settings(**{field: value})


@pytest.mark.parametrize("target_ms", [0.0, -1.0, float("nan")])
def test_a_target_is_positive(target_ms: float) -> None:
    with pytest.raises(ValueError, match="`target_latency_ms` must be positive, but got"):
        Model(ms={}, worth={}).problem(target_ms)
