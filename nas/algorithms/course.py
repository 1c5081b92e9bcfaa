"""The course of a search: which rounds come, what each trains and scores, and when it ends.

A round trains the current architecture, scores its removals and executes what Algorithm 1 proposes. Where there is
nothing left to decide, a last round trains without skipping blocks (recovery) and scores the architecture alone. The
course is a value, so that a search, its cost estimate and tests walk through the same rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from nas.algorithms.evolving import Contest, EvolvingSettings, PriceMs, Proposal, candidates, contest, propose
from nas.algorithms.value_score import ScoredAction
from search_spaces.actions import AnyAction, Sign
from search_spaces.architecture import Architecture
from search_spaces.unet_space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a course follows.

    Attributes:
        space: The search space.
        price_ms: Predicted latency of an architecture.
        settings: Algorithm 1's settings.
        recovers: Whether the search ends with a round that trains and scores without skipping.
        start: Where it starts; None = at the space's base.
    """

    space: UNetSpace
    price_ms: PriceMs
    settings: EvolvingSettings
    recovers: bool
    start: Architecture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round does.

    Attributes:
        number: Counts from 0.
        architecture: Trained and scored.
        recovering: Whether it trains without skipping blocks and decides nothing.
        options: Removals to score.
        contest: What their scores must tell; None when nothing is decided.
    """

    number: int
    architecture: Architecture
    recovering: bool
    options: tuple[AnyAction, ...]
    contest: Contest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a search stands between two rounds.

    Attributes:
        architecture: The current one.
        taken: Actions that led there from the start.
        num_rounds: Rounds finished.
        stopped: The proposal that ended the search, while the recovery round is still to come.
    """

    architecture: Architecture
    taken: tuple[AnyAction, ...] = ()
    num_rounds: int = 0
    stopped: Proposal | None = None

    @classmethod
    def of(cls, rules: Rules, /) -> Self:
        """The course that stands at the start."""
        return cls(architecture=rules.start or rules.space.base)

    def round(self, rules: Rules, /) -> Round:
        """The round that comes."""
        recovering = self.stopped is not None or self._is_settled(rules)
        settings = rules.settings
        options = () if recovering else candidates(
            rules.space, self.architecture, protected=settings.protected, keep_copies=settings.keep_copies
        )  # fmt: skip
        wanted = None if recovering else contest(
            self.architecture, options=options, space=rules.space, settings=settings, price_ms=rules.price_ms
        )  # fmt: skip
        return Round(
            number=self.num_rounds,
            architecture=self.architecture,
            recovering=recovering,
            options=options,
            contest=wanted,
        )

    def decide(self, ranking: Sequence[ScoredAction], rules: Rules, /) -> tuple[Proposal, Self | None]:
        """What the round does with its ranking, and the course after it; None = the search is over."""
        recovering = self.round(rules).recovering
        proposal = self.stopped or propose(
            self.architecture,
            ranking=ranking,
            space=rules.space,
            settings=rules.settings,
            price_ms=rules.price_ms,
            num_rounds=self.num_rounds,
            num_copies=self._num_copies,
        )
        if proposal.stop is not None and (recovering or not rules.recovers):
            return proposal, None
        architecture = self.architecture
        for action in proposal.actions:
            architecture = action.apply(architecture)
        return proposal, replace(
            self,
            architecture=architecture,
            taken=self.taken + proposal.actions,
            num_rounds=self.num_rounds + 1,
            stopped=proposal if proposal.stop is not None else None,
        )

    @property
    def _num_copies(self) -> int:
        return sum(action.sign is Sign.COPY for action in self.taken)

    def _is_settled(self, rules: Rules) -> bool:
        """Whether the round has nothing left to decide, so that it scores the architecture alone."""
        settings = rules.settings
        if self.num_rounds >= settings.max_rounds:
            return True
        meets = rules.price_ms(self.architecture) <= settings.target_latency_ms
        return meets and self._num_copies >= settings.max_copies
