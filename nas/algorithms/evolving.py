"""Architecture evolving: SnapFusion's Algorithm 1 (arXiv 2306.00980, section 3.2).

While the latency objective is not met, remove the blocks whose loss is cheapest; once it is, copy the block that is
most valuable. What the paper leaves open is a setting of `EvolvingSettings`, with the default and its reason.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from nas.algorithms.value_score import ScoredAction
from search_spaces.actions import GENES, Action, AnyAction, Sign
from search_spaces.architecture import Architecture
from search_spaces.blocks import BlockKind
from search_spaces.unet_space import UNetSpace

PriceMs = Callable[[Architecture], float]


class StopReason(StrEnum):
    """Why a search ended."""

    CONVERGED = "converged"
    BUDGET_SPENT = "budget_spent"
    INFEASIBLE = "infeasible"


class InfeasibleTargetError(ValueError):
    """The target lies below the fastest architecture that the space and the protected blocks allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolvingSettings:
    """The open points of Algorithm 1.

    Attributes:
        target_latency_ms: The objective S.
        removals_per_round: Size of a group of A-; the group ends early once the target is met.
        max_copies: A+ to execute in all, one a round. Copies start when the target is met. 0 = removals only.
        overshoot: Whether an A+ may lift the latency above the target, so that later rounds remove again (the
            paper's literal reading), or must fit below it.
        keep_copies: Whether a block that was copied is safe from removal. A neutral copy costs nothing to remove until
            it is trained, so that an overshooting A+ would be undone in the next round.
        max_rounds: Bound on rounds, each with a training and a scoring.
        protected: Blocks that are never removed, named as in actions: "resnet[mid,0]".
    """

    target_latency_ms: float
    removals_per_round: int = 4
    max_copies: int = 1
    overshoot: bool = False
    keep_copies: bool = True
    max_rounds: int = 20
    protected: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.target_latency_ms <= 0:
            raise ValueError(f"`target_latency_ms` must be positive, but got {self.target_latency_ms}")
        for name in ("removals_per_round", "max_rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, but got {getattr(self, name)}")
        if self.max_copies < 0:
            raise ValueError(f"`max_copies` must be at least 0, but got {self.max_copies}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a round decides: actions to execute, or the reason to stop."""

    actions: tuple[AnyAction, ...] = ()
    stop: StopReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What scoring has to find out in a round: which `num` of these removals are worth least, or most.

    Attributes:
        actions: Removals that the round can execute, or whose block it can copy.
        num: How many of them are executed at most.
        highest: Whether the most valuable are wanted, for an A+, instead of the cheapest.
        ordered: Whether the order among the `num` matters too: a group may end early because the target is met.
    """

    actions: tuple[AnyAction, ...]
    num: int
    highest: bool
    ordered: bool


def check_protected(space: UNetSpace, protected: frozenset[str], /) -> None:
    """Check that every protected block exists.

    Raises:
        ValueError: Blocks that the model does not have.
    """
    known = {f"{kind}[{place},{p.source}]" for place, p in space.base.positions() for kind, num in (
        (BlockKind.RESNET, p.resnets), (BlockKind.CROSS_ATTENTION, p.cross_attentions)) if num}  # fmt: skip
    if unknown := sorted(protected - known):
        raise ValueError(
            f"`protected` names blocks that the model does not have: {unknown}; choose among {sorted(known)}"
        )


def candidates(
    space: UNetSpace, architecture: Architecture, /, *, protected: frozenset[str], keep_copies: bool = True
) -> tuple[AnyAction, ...]:
    """The removals that a round scores: all that can be executed and touch no protected block and no kept copy."""

    def is_copied(block: Action) -> bool:
        gene = GENES[block.kind]
        now = architecture.position(block.stage, block.position)
        return bool(getattr(now, gene) > getattr(space.base.position(block.stage, block.position), gene))

    return tuple(
        action
        for action in space.removals(architecture)
        if not any(block.block in protected or (keep_copies and is_copied(block)) for block in action.blocks)
    )


def fastest(
    space: UNetSpace, architecture: Architecture, /, *, protected: frozenset[str], price_ms: PriceMs
) -> Architecture:
    """The fastest architecture that removals can reach: every removal that saves time is executed."""
    while True:
        options = (action.apply(architecture) for action in candidates(space, architecture, protected=protected))
        faster = [option for option in options if price_ms(option) < price_ms(architecture)]
        if not faster:
            return architecture
        architecture = min(faster, key=price_ms)


def check_feasible(
    space: UNetSpace, settings: EvolvingSettings, /, *, price_ms: PriceMs, start: Architecture | None = None
) -> None:
    """Check that the target can be reached at all.

    Raises:
        InfeasibleTargetError: It cannot; the message says what is the fastest reachable.
    """
    quickest = fastest(space, start or space.base, protected=settings.protected, price_ms=price_ms)
    if (reachable_ms := price_ms(quickest)) > settings.target_latency_ms:
        raise InfeasibleTargetError(
            f"`target_latency_ms` must be at least {reachable_ms:.3f}, the fastest reachable "
            f"({quickest.num_cross_attentions} cross-attentions, {quickest.num_resnets} ResNets, "
            f"{len(settings.protected)} protected blocks; the base model takes {price_ms(space.base):.3f} ms), "
            f"but got {settings.target_latency_ms:.3f}; raise the target or protect fewer blocks"
        )


def contest(
    architecture: Architecture,
    /,
    *,
    options: Sequence[AnyAction],
    space: UNetSpace,
    settings: EvolvingSettings,
    price_ms: PriceMs,
) -> Contest:
    """What `propose` is going to ask of the scores of a round.

    Args:
        architecture: The current one.
        options: Its `candidates`.
        space: The search space.
        settings: The open points, decided.
        price_ms: Predicted latency of an architecture.
    """
    now_ms = price_ms(architecture)
    saved_ms = {action: now_ms - price_ms(action.apply(architecture)) for action in options}
    useful = tuple(action for action in options if saved_ms[action] > 0)
    if now_ms > settings.target_latency_ms:
        quickest = sorted((saved_ms[action] for action in useful), reverse=True)[: settings.removals_per_round - 1]
        return Contest(
            actions=useful,
            num=settings.removals_per_round,
            highest=False,
            ordered=sum(quickest) >= now_ms - settings.target_latency_ms,
        )
    copyable = tuple(
        action for action in useful if _can_be_copied(action.inverse, architecture, space, settings, price_ms)
    )
    return Contest(actions=copyable, num=1, highest=True, ordered=False)


def propose(
    architecture: Architecture,
    /,
    *,
    ranking: Sequence[ScoredAction],
    space: UNetSpace,
    settings: EvolvingSettings,
    price_ms: PriceMs,
    num_rounds: int,
    num_copies: int,
) -> Proposal:
    """One step of Algorithm 1.

    Args:
        architecture: The current one.
        ranking: Its scored removals, cheapest loss first.
        space: The search space.
        settings: The open points, decided.
        price_ms: Predicted latency of an architecture.
        num_rounds: Rounds finished before this one.
        num_copies: A+ executed before this one.
    """
    if price_ms(architecture) > settings.target_latency_ms:
        if num_rounds >= settings.max_rounds:
            return Proposal(stop=StopReason.BUDGET_SPENT)
        group = _removals(architecture, ranking, space, settings, price_ms)
        return Proposal(actions=group) if group else Proposal(stop=StopReason.INFEASIBLE)
    if num_copies >= settings.max_copies:
        return Proposal(stop=StopReason.CONVERGED)
    if num_rounds >= settings.max_rounds:
        return Proposal(stop=StopReason.BUDGET_SPENT)
    copy = _copy(architecture, ranking, space, settings, price_ms)
    return Proposal(actions=(copy,)) if copy is not None else Proposal(stop=StopReason.CONVERGED)


def _removals(
    architecture: Architecture,
    ranking: Sequence[ScoredAction],
    space: UNetSpace,
    settings: EvolvingSettings,
    price_ms: PriceMs,
) -> tuple[AnyAction, ...]:
    group: list[AnyAction] = []
    for scored in ranking:
        if len(group) == settings.removals_per_round or price_ms(architecture) <= settings.target_latency_ms:
            break
        # Compound removals may share a block: what an earlier one of the group took, a later one cannot.
        if scored.d_latency_ms > 0 and space.why_not(scored.action, architecture=architecture) is None:
            group.append(scored.action)
            architecture = scored.action.apply(architecture)
    return tuple(group)


def _copy(
    architecture: Architecture,
    ranking: Sequence[ScoredAction],
    space: UNetSpace,
    settings: EvolvingSettings,
    price_ms: PriceMs,
) -> AnyAction | None:
    """The copy of the most valuable block that can be copied and, unless overshooting is allowed, still fits."""
    for scored in reversed(ranking):
        copy = scored.action.inverse
        if (
            scored.d_clip.mean > 0
            and scored.d_latency_ms > 0
            and _can_be_copied(copy, architecture, space, settings, price_ms)
        ):
            return copy
    return None


def _can_be_copied(
    copy: AnyAction, architecture: Architecture, space: UNetSpace, settings: EvolvingSettings, price_ms: PriceMs
) -> bool:
    assert copy.sign is Sign.COPY
    if space.why_not(copy, architecture=architecture) is not None:
        return False
    return settings.overshoot or price_ms(copy.apply(architecture)) <= settings.target_latency_ms
