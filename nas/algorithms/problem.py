"""What an algorithm is given: a space, prices, the target, further limits, and settings of its own. A value; pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from search_spaces.files.user_error import UserError
from search_spaces.search_space import SearchSpace

S = TypeVar("S")
PriceMs: TypeAlias = Callable[[Any], float]

# What can be limited, as `Result.missed_by` and `Declaration.takes` name it.
LATENCY: Final = "latency_ms"
PARAMS: Final = "num_params"
MACS: Final = "num_macs"
SCORE: Final = "score"
TARGETS: Final = "targets"  # for `Declaration.takes`: more than one target in a search
EVERYTHING: Final = frozenset({LATENCY, PARAMS, MACS, SCORE, TARGETS})
_TARGETS_APART_MS: Final = 1e-3  # labels of results say three decimals


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most that an architecture may cost of something that is known without scoring it.

    Attributes:
        name: What is limited, with its unit: "num_params".
        setting: What a user calls the limit: "max_params".
        most: As much is allowed, and not more.
        cost: What an architecture costs; deterministic and cheap.
    """

    name: str
    setting: str
    most: float
    cost: Callable[[Any], float]

    def __post_init__(self) -> None:
        if not self.most > 0:
            raise UserError(f"`{self.setting}` must be positive, but got {self.most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Generic[S]):
    """What is to be found.

    Attributes:
        space: What may be chosen.
        price_ms: Predicted milliseconds of an architecture; deterministic. Where it is the largest of several devices',
            which each add up over blocks, it has these as `parts`.
        target_latency_ms: The objective S: as fast as this, or faster; of several targets the hardest.
        settings: The algorithm's own.
        protected: Blocks that are never removed, named as in actions: "resnet[mid,0]".
        recovers: Whether a search ends with a training that skips no block.
        start: Where it starts; None = at the space's base.
        higher_is_better: Whether a higher score is a better one, as CLIP's is.
        latency_error: Relative error of the prices: milliseconds that differ by less are ties.
        seed: Of every random choice of the algorithm.
        has_finals: Whether there are more prompts for what is chosen in the end (`PromptSet.FINAL`).
        limits: What else must be kept, each by its own name.
        worst_score: The worst mean score that a result may have; None = any.
        easier_targets_ms: Further targets, which a search passes on its way: falling, above `target_latency_ms`.
    """

    space: SearchSpace
    price_ms: PriceMs
    target_latency_ms: float
    settings: S
    protected: frozenset[str] = frozenset()
    recovers: bool = False
    start: Any = None
    higher_is_better: bool = True
    latency_error: float = 0.0
    seed: int = 0
    has_finals: bool = False
    limits: tuple[Limit, ...] = ()
    worst_score: float | None = None
    easier_targets_ms: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.target_latency_ms > 0:
            raise UserError(f"`target_latency_ms` must be positive, but got {self.target_latency_ms}")
        if len({LATENCY, SCORE} | {limit.name for limit in self.limits}) < 2 + len(self.limits):
            raise UserError(f"limits must have names of their own, but got {[limit.name for limit in self.limits]}")
        targets = self.targets_ms
        if any(easy - hard < _TARGETS_APART_MS for easy, hard in pairwise(targets)):
            raise UserError(
                f"targets must fall by at least {_TARGETS_APART_MS} ms from one to the next, but got "
                f"{', '.join(f'{target:.3f}' for target in targets)} ms"
            )

    @property
    def first(self) -> Any:
        """The architecture that a search starts with."""
        return self.space.base if self.start is None else self.start

    @property
    def targets_ms(self) -> tuple[float, ...]:
        """Every target, the easiest first; mostly one."""
        return (*self.easier_targets_ms, self.target_latency_ms)

    @property
    def objectives(self) -> frozenset[str]:
        """What an algorithm must take into account, as `Declaration.takes` names it."""
        named = {LATENCY, *(limit.name for limit in self.limits)}
        named |= {SCORE} if self.worst_score is not None else set()
        return frozenset(named | ({TARGETS} if self.easier_targets_ms else set()))

    @property
    def named_limits(self) -> dict[str, float]:
        """The most of what is limited beside the latency, by its name, and the worst allowed score."""
        named = {limit.name: float(limit.most) for limit in self.limits}
        return named if self.worst_score is None else named | {SCORE: self.worst_score}

    def refuses(self, architecture: Any, /) -> bool:
        """Whether a limit beside the latency says no: such a proposal is never scored, and is counted."""
        return any(limit.cost(architecture) > limit.most for limit in self.limits)

    def meets(self, architecture: Any, /) -> bool:
        """Whether an architecture is as fast as it must be, and keeps every other limit that needs no score."""
        return self.price_ms(architecture) <= self.target_latency_ms and not self.refuses(architecture)

    def missed_by(
        self, architecture: Any, /, *, score: float | None = None, target_latency_ms: float | None = None
    ) -> dict[str, float]:
        """By how much an architecture misses each limit that it does not keep, in the limit's own unit.

        Args:
            architecture: Of the space.
            score: Its mean score; None = the worst allowed score is not looked at.
            target_latency_ms: The target that it is for, where there are several; None = the hardest.
        """
        target_ms = self.target_latency_ms if target_latency_ms is None else target_latency_ms
        missed = {LATENCY: self.price_ms(architecture) - target_ms}
        missed |= {limit.name: limit.cost(architecture) - limit.most for limit in self.limits}
        if score is not None and self.worst_score is not None:
            missed[SCORE] = self.worst_score - score if self.higher_is_better else score - self.worst_score
        return {name: excess for name, excess in missed.items() if excess > 0}

    def keeps_score(self, score: float, /) -> bool:
        """Whether a mean score is no worse than the worst that is allowed."""
        if self.worst_score is None:
            return True
        return score >= self.worst_score if self.higher_is_better else score <= self.worst_score

    def distance(self, missed_by: Mapping[str, float], /) -> float:
        """How far off something is: the sum of what it misses, each as a share of its limit; without the score."""
        most = {LATENCY: self.target_latency_ms, **{limit.name: limit.most for limit in self.limits}}
        return sum(excess / most[name] for name, excess in missed_by.items() if name != SCORE)

    def toward(self, architecture: Any, /) -> Self:
        """The problem that a search which stands at an architecture solves next: that of the easiest target it misses.

        Past all targets, and where there is only one, it is the problem itself or that of the hardest.
        """
        if not self.easier_targets_ms:
            return self
        now_ms = self.price_ms(architecture)
        missed = (target for target in self.easier_targets_ms if now_ms > target)
        return replace(self, target_latency_ms=next(missed, self.target_latency_ms), easier_targets_ms=())


def within_limits(problem: Problem[Any], architectures: Iterable[Any], /) -> tuple[tuple[Any, ...], int]:
    """The architectures that keep every limit which needs no score, and how many do not and need none.

    The number is for `Score.num_refused`: a report says what the limits saved.
    """
    given = tuple(architectures)
    kept = tuple(architecture for architecture in given if problem.meets(architecture))
    return kept, len(given) - len(kept)
