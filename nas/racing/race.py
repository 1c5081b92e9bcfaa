"""Racing: find the actions that exhaustive scoring would choose, and score no action for longer than that takes.

Prompts come chunk by chunk. At each look every two undecided contestants are compared on the prompts that both have
(`nas.racing.comparisons`); who is surely chosen, or surely not, gets no more prompts. After the successive elimination
of Maron and Moore (1994), "Hoeffding races". What is guaranteed, and what is not, is in docs/racing.md.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from nas.racing.comparisons import Floats, Tolerance, look_schedule, surely_no_worse
from nas.racing.settings import RacingSettings
from nas.racing.standings import Standings
from search_spaces.files.user_error import UserError


class Contestant(Hashable, Protocol):
    """Anything that hashes and sorts, such as an `Action`; equal values stand in its order."""

    def __lt__(self, other: Any, /) -> bool:
        """Whether it stands before another."""


T = TypeVar("T", bound=Contestant)


class Direction(StrEnum):
    """Who wins: the cheapest losses are removed, the most valuable block is copied."""

    LOWEST = "lowest"
    HIGHEST = "highest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Generic[T]):
    """What a race needs next: the losses of these contestants on the first `num_prompts` prompts."""

    contestants: tuple[T, ...]
    num_prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Generic[T]):
    """Where a race ended.

    Attributes:
        selected: The chosen, best first; unless the race was ordered, by the prompts that all of them have.
        num_prompts: Prompts that each contestant was scored on; 0 for those that save nothing.
        ties: Pairs (chosen, displaced) that stood within the tolerance when they were settled, so that another
            latency table or an indifferent judge may choose the other; of an ordered race also pairs of the chosen.
    """

    selected: tuple[T, ...]
    num_prompts: Mapping[T, int]
    ties: tuple[tuple[T, T], ...]


class Race(Generic[T]):
    """A race for the places of a group; a function of the scores alone, whoever computed them in whatever order.

    Args:
        saved_ms: Milliseconds saved by each contestant. Who saves nothing is out from the start.
        num_prompts: N, the prompts that exhaustive scoring would use, in random order.
        chunk_size: Prompts that are scored together.
        num_places: k, the size of the group.
        direction: Whether the lowest or the highest values win.
        ordered: Settle the order of the chosen as well; needed when the group may end early.
        latency_error: u, relative error of `saved_ms`: values that differ by less are ties.
        settings: How sure, how often.

    Raises:
        ValueError: No prompts, chunks or places, or a latency error outside [0, 1).
    """

    def __init__(
        self,
        saved_ms: Mapping[T, float],
        /,
        *,
        num_prompts: int,
        chunk_size: int,
        num_places: int,
        direction: Direction = Direction.LOWEST,
        ordered: bool = False,
        latency_error: float = 0.0,
        settings: RacingSettings | None = None,
    ) -> None:
        for name, number in (("num_prompts", num_prompts), ("chunk_size", chunk_size), ("num_places", num_places)):
            if number < 1:
                raise UserError(f"`{name}` of a race must be at least 1, but got {number}")
        if not 0 <= latency_error < 1:
            raise UserError(f"`latency_error` is relative and must lie in [0, 1), but got {latency_error}")
        self._settings = settings or RacingSettings()
        self._all = tuple(sorted(saved_ms))
        self._names = tuple(name for name in self._all if saved_ms[name] > 0)
        self._saved_ms = np.array([saved_ms[name] for name in self._names], dtype=np.float64)
        self._num_prompts, self._ordered = num_prompts, ordered
        self._tolerance = Tolerance(latency_error=latency_error, indifference=self._settings.indifference)
        self._sign = 1 if direction is Direction.LOWEST else -1
        self._looks = look_schedule(
            num_prompts=num_prompts,
            chunk_size=chunk_size,
            min_prompts=self._settings.min_prompts,
            growth=self._settings.growth,
        )
        num, k = len(self._names), min(num_places, len(self._names))
        self._standings = Standings(num, num_places=k, ordered=ordered)
        self._error = (1 - self._settings.confidence) / self._num_comparisons(k)  # of each comparison, over all looks
        self._num_looks = 0
        self._values = np.zeros((len(self._looks), num))  # at each look, times the sign: the lowest win
        self._scored = np.zeros(num, dtype=np.int64)
        self._tied = np.zeros((num, num), dtype=np.bool_)

    @property
    def finished(self) -> bool:
        """Whether every contestant is decided."""
        return not self._standings.undecided

    def next_look(self) -> Look[T]:
        """Who still needs prompts, and how many each must have by the next `observe`."""
        assert not self.finished
        contestants = tuple(self._names[index] for index in self._standings.undecided)
        return Look(contestants=contestants, num_prompts=self._looks[self._num_looks])

    @property
    def undecided(self) -> tuple[T, ...]:
        """Who may still get prompts."""
        return tuple(self._names[index] for index in self._standings.undecided)

    @property
    def wanted(self) -> Mapping[T, int]:
        """Prompts that each undecided contestant must have by the next `observe`; none once the race is over."""
        return {} if self.finished else dict.fromkeys(self.next_look().contestants, self.next_look().num_prompts)

    def observe(self, losses: Mapping[T, Sequence[float]], /) -> None:
        """Decide whom the next look decides.

        Args:
            losses: CLIP lost per prompt by each contestant of the next look, all on the same first prompts.

        Raises:
            ValueError: Other contestants, other numbers of prompts, or losses that are not finite.
        """
        look = self.next_look()
        rows = checked_losses(losses, wanted=self.wanted)
        costs = self._sign * np.array([rows[name] for name in look.contestants])
        undecided = np.array(self._standings.undecided)
        saved_ms = self._saved_ms[undecided]
        values = costs.mean(axis=1) / saved_ms
        self._scored[undecided], self._values[self._num_looks, undecided] = look.num_prompts, values
        ranking = self._ranked(undecided.tolist(), look=self._num_looks)
        before = self._looks[self._num_looks - 1] if self._num_looks else 0
        self._num_looks += 1
        sure = surely_no_worse(
            costs,
            saved_ms=saved_ms,
            num_prompts=self._num_prompts,
            error=self._error * (look.num_prompts - before) / self._num_prompts,
            tolerance=self._tolerance,
        )
        ranks = np.array([ranking.index(index) for index in undecided])
        leads = ranks[:, None] < ranks[None, :]
        if look.num_prompts == self._num_prompts:
            sure |= leads  # equal values too
        settled = self._standings.settle(sure & (leads | ~sure.T))
        within = np.abs(values[:, None] - values[None, :]) <= self._tolerance.of_values(values, saved_ms=saved_ms)
        self._tied[np.ix_(undecided, undecided)] |= settled & within
        self._standings.decide(ranking)

    @property
    def verdict(self) -> Verdict[T]:
        """Who won; of a finished race."""
        assert self.finished
        places = self._standings.places
        if self._ordered:
            chosen = sorted(places, key=places.__getitem__)
        else:
            common = min((self._scored[index] for index in places), default=self._looks[0])
            chosen = self._ranked(places, look=self._looks.index(common))
        rivals = [index for index in range(len(self._names)) if self._ordered or index not in places]
        return Verdict(
            selected=tuple(self._names[index] for index in chosen),
            num_prompts=dict.fromkeys(self._all, 0) | dict(zip(self._names, self._scored.tolist(), strict=True)),
            ties=tuple((self._names[b], self._names[a]) for b in chosen for a in rivals if self._tied[b, a]),
        )

    def _num_comparisons(self, k: int) -> int:
        """Comparisons of which none may be wrong, each in one direction.

        Without a tolerance a wrong decision needs a wrong comparison of one that belongs to the group with one that
        does not. With it the group may lose a member to an equal, so that any two can come to stand at its border.
        """
        num = len(self._names)
        if self._tolerance:
            return max(num * (num - 1) // 2, 1)
        return max(k * (num - k) + (k * (k - 1) // 2 if self._ordered else 0), 1)

    def _ranked(self, indices: Iterable[int], /, *, look: int) -> list[int]:
        """The best first by the values at a look; equal values stand in the order of their contestants."""
        return sorted(indices, key=lambda index: (self._values[look, index], self._sign * index))


def checked_losses(losses: Mapping[T, Sequence[float]], /, *, wanted: Mapping[T, int]) -> dict[T, Floats]:
    """The losses of a look as arrays, one for each contestant that was wanted, in their order.

    Raises:
        ValueError: Other contestants, other numbers of prompts, or losses that are not finite.
    """
    if set(losses) != set(wanted):
        missing, needless = sorted(set(wanted) - set(losses)), sorted(set(losses) - set(wanted))
        raise UserError(
            f"a look needs the losses of its contestants, but {len(missing)} are missing ({missing[:3]}) and "
            f"{len(needless)} are not asked for ({needless[:3]}); give those that `wanted` names"
        )
    if wrong := {name: len(losses[name]) for name, num in wanted.items() if len(losses[name]) != num}:
        first = sorted(set(wanted.values()))
        raise UserError(f"this look compares the first {', '.join(map(str, first))} prompts, but got {wrong}")
    rows = {name: np.array(losses[name], dtype=np.float64) for name in wanted}
    if broken := [name for name, row in rows.items() if not np.isfinite(row).all()]:
        raise UserError(f"losses must be finite, but those of {broken} are not; the model overflows there")
    return rows


def exhaustive(
    losses: Mapping[T, Sequence[float]],
    /,
    *,
    saved_ms: Mapping[T, float],
    num_places: int,
    direction: Direction = Direction.LOWEST,
) -> tuple[T, ...]:
    """The choice by the losses on all prompts, best first: what a race is judged by."""
    values = {name: float(np.mean(losses[name])) / saved_ms[name] for name in losses if saved_ms[name] > 0}
    order = sorted(values, key=lambda name: (values[name], name), reverse=direction is Direction.HIGHEST)
    return tuple(order[:num_places])
