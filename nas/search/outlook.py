"""How far a search is, and when it will end: bounds of its work, what is done, and the pace. Pure."""

from dataclasses import dataclass

from nas.search.costs.pace import Pace
from nas.search.costs.work import Work
from nas.search.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a search is expected to be.

    Attributes:
        least: The least work.
        most: The most.
        pace: As it was measured; None where nothing was.
    """

    least: Work
    most: Work
    pace: Pace | None = None

    @property
    def last_round(self) -> int:
        """The last round that it may come to; rounds count from 0."""
        return max(self.most.num_rounds - 1, 0)

    def foresees(self, progress: Progress, /) -> bool:
        """Whether the bounds hold so far: those of an extended search are not known."""
        return progress.round <= self.last_round and progress.num_pictures <= self.most.num_pictures

    def share(self, progress: Progress, /) -> float:
        """Share of the most that is done, by time where the pace is known and by pictures otherwise; at most 1."""
        done, most = self._cost(progress), self._cost(self.most)
        return min(done / most, 1.0) if most else 0.0

    def left_s(self, progress: Progress, /, *, elapsed_s: float) -> tuple[float, float] | None:
        """Seconds to the end, at least and at most; None where the pace is not known.

        Args:
            progress: Where it stands.
            elapsed_s: Since the work began, by which the measured pace is corrected when a tenth is done.
        """
        if self.pace is None:
            return None
        done, least, most = self._cost(progress), self._cost(self.least), self._cost(self.most)
        slowness = elapsed_s / done if done > 0.1 * least else 1.0
        return slowness * max(least - done, 0.0), slowness * max(most - done, 0.0)

    def _cost(self, work: Work | Progress) -> float:
        """In seconds at the measured pace, or in pictures."""
        return float(work.num_pictures) if self.pace is None else self.pace.seconds(work)
