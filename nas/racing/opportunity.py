"""Racing by the expected opportunity cost: prompts go where a wrong decision would cost most, until it costs nothing.

After every look the group is chosen by the value rule, as the algorithm is going to choose it, and its expected
opportunity cost is computed (`nas.values.certainty`): what perfect knowledge would save. Once that is within the
tolerance, no number of further prompts can save more, and the race ends. Until then the contestants to whose doubtful
membership most of it is due get more prompts (`nas.racing.allocation`). Groups may end early and contestants may
exclude each other, since the choice itself is what is asked, draw by draw.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Generic, TypeVar

import numpy as np

from nas.racing.allocation import Allocation, by_regret
from nas.racing.race import Contestant, Verdict, checked_losses
from nas.racing.settings import RacingSettings
from nas.values.certainty import regrets
from nas.values.group import Choice
from nas.values.rule import ValueRule
from nas.values.sample import Floats, Losses
from nas.values.weighing import values
from search_spaces.files.user_error import UserError

T = TypeVar("T", bound=Contestant)
FOREMOST: Final = 0.25  # who deserves so much of what the most deserving one does gets prompts in the same look


class OpportunityRace(Generic[T]):
    """A race for a choice; a function of the scores alone, whoever computed them in whatever order.

    Args:
        contestants: Their names, in the order of the choice.
        choice: What is chosen among them.
        num_prompts: N, the prompts that exhaustive scoring would use, in random order.
        chunk_size: Prompts that are scored together.
        rule: By which values.
        distances: How far each one's pictures or outputs lie from the reference's; None = not measured.
        settings: When it looks, and when it ends.
        allocation: Who gets the next prompts.

    Raises:
        ValueError: No prompts or chunks.
    """

    def __init__(
        self,
        contestants: Sequence[T],
        /,
        *,
        choice: Choice,
        num_prompts: int,
        chunk_size: int,
        rule: ValueRule,
        distances: Sequence[float] | None = None,
        settings: RacingSettings | None = None,
        allocation: Allocation = by_regret,
    ) -> None:
        for name, number in (("num_prompts", num_prompts), ("chunk_size", chunk_size)):
            if number < 1:
                raise UserError(f"`{name}` of a race must be at least 1, but got {number}")
        self._names, self._choice, self._rule = tuple(contestants), choice, rule
        self._num_prompts, self._chunk_size = num_prompts, chunk_size
        self._settings, self._allocation = settings or RacingSettings(), allocation
        self._distances = None if distances is None else np.array(distances, dtype=np.float64)
        num = len(self._names)
        self._means, self._variances, self._scored = np.zeros(num), np.full(num, np.nan), np.zeros(num, dtype=np.int64)
        first = self._whole_chunks(self._settings.min_prompts)
        self._wanted = dict.fromkeys(self._names, first)
        self._expected_loss = math.inf

    @property
    def finished(self) -> bool:
        """Whether no contestant gets more prompts."""
        return not self._wanted

    @property
    def wanted(self) -> Mapping[T, int]:
        """Prompts that each of those who go on must have by the next `observe`."""
        return self._wanted

    @property
    def undecided(self) -> tuple[T, ...]:
        """Who may still get prompts."""
        return tuple(name for name, num in zip(self._names, self._scored, strict=True) if num < self._num_prompts)

    @property
    def expected_loss(self) -> float:
        """What perfect knowledge would save at the last look."""
        return self._expected_loss

    def observe(self, losses: Mapping[T, Sequence[float]], /) -> None:
        """Look at the losses that were wanted, and decide who goes on.

        Args:
            losses: Score lost per prompt by each that was wanted, from the first prompt on.

        Raises:
            ValueError: Other contestants, other numbers of prompts, or losses that are not finite.
        """
        for name, row in checked_losses(losses, wanted=self._wanted).items():
            index = self._names.index(name)
            self._means[index], self._scored[index] = row.mean(), len(row)
            self._variances[index] = row.var(ddof=1) if len(row) > 1 else np.nan
        self._wanted = self._next()

    @property
    def verdict(self) -> Verdict[T]:
        """Who won; of a finished race."""
        assert self.finished
        return Verdict(
            selected=tuple(self._names[index] for index in self._choice.group(self._values(self._known()))),
            num_prompts=dict(zip(self._names, self._scored.tolist(), strict=True)),
            ties=(),
        )

    def _next(self) -> dict[T, int]:
        known = self._known()
        taken = self._choice.members(self._values(known)[None])[0]
        found = regrets(known, self._choice, taken=taken, floor=self._rule.indifference)
        self._expected_loss = found.expected
        lacking = self._scored < self._num_prompts
        if found.expected <= self._settings.tolerance or not lacking.any():
            return {}
        merits = np.where(lacking, self._allocation(known, self._choice, taken=taken, regrets=found), 0.0)
        goes_on = merits > max(0.0, FOREMOST * float(merits.max()))
        return {
            self._names[index]: self._whole_chunks(
                max(self._scored[index] + 1, float(self._scored[index]) * self._settings.growth)
            )
            for index in np.flatnonzero(goes_on)
        }

    def _known(self) -> Losses:
        return Losses(
            means=self._means,
            variances=self._variances,
            nums=self._scored.astype(np.float64),
            saved_ms=np.array(self._choice.saved_ms),
            distances=self._distances,
        )

    def _values(self, known: Losses) -> Floats:
        return values(known, self._rule, highest=self._choice.highest)

    def _whole_chunks(self, num: float) -> int:
        return min(self._num_prompts, math.ceil(num / self._chunk_size) * self._chunk_size)
