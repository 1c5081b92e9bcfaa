"""What an algorithm is given: a space, prices, the target, and settings of its own. A value; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from search_spaces.files.user_error import UserError
from search_spaces.search_space import SearchSpace

S = TypeVar("S")
PriceMs: TypeAlias = Callable[[Any], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Generic[S]):
    """What is to be found.

    Attributes:
        space: What may be chosen.
        price_ms: Predicted milliseconds of an architecture; deterministic.
        target_latency_ms: The objective S: as fast as this, or faster.
        settings: The algorithm's own.
        protected: Blocks that are never removed, named as in actions: "resnet[mid,0]".
        recovers: Whether a search ends with a training that skips no block.
        start: Where it starts; None = at the space's base.
        higher_is_better: Whether a higher score is a better one, as CLIP's is.
        latency_error: Relative error of the prices: milliseconds that differ by less are ties.
        seed: Of every random choice of the algorithm.
        has_finals: Whether there are more prompts for what is chosen in the end (`PromptSet.FINAL`).
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

    def __post_init__(self) -> None:
        if not self.target_latency_ms > 0:
            raise UserError(f"`target_latency_ms` must be positive, but got {self.target_latency_ms}")

    @property
    def first(self) -> Any:
        """The architecture that a search starts with."""
        return self.space.base if self.start is None else self.start

    def meets(self, architecture: Any, /) -> bool:
        """Whether an architecture is as fast as it must be."""
        return self.price_ms(architecture) <= self.target_latency_ms
