"""Who of a race is in the group and who is out, from what is known about pairs of contestants."""

from collections.abc import Sequence

import numpy as np

from nas.racing.comparisons import Bools


class Standings:
    """The undecided contestants, the free places of the group, and who beats whom; contestants are numbers.

    Args:
        num_contestants: K.
        num_places: k, at most K.
        ordered: Whether a contestant is in only once its place in the group is known too.
    """

    def __init__(self, num_contestants: int, /, *, num_places: int, ordered: bool) -> None:
        self._ordered = ordered
        self._free = list(range(num_places))
        self._beats = np.zeros((num_contestants, num_contestants), dtype=np.bool_)
        self.undecided = list(range(num_contestants))
        self.places: dict[int, int] = {}

    def settle(self, better: Bools, /) -> Bools:
        """Learn who beats whom; a pair that is settled stays as it is.

        Args:
            better: (U, U) over the undecided, in their order: entry [b, a] says that b beats a, and not both ways.

        Returns:
            (U, U): the pairs that are settled by this.
        """
        grid = np.ix_(self.undecided, self.undecided)
        known = self._beats[grid]
        new: Bools = better & ~known & ~known.T
        self._beats[grid] = known | new
        return new

    def decide(self, ranking: Sequence[int], /) -> None:
        """Take everybody who is decided out of the race, the foremost of the ranking first.

        Out is who loses to as many of the undecided as there are free places; in is who beats all but fewer than that.
        One leaves at a time, since the others are then compared among themselves.
        """
        while any(self._leaves(number) for number in ranking if number in self.undecided):
            pass

    def _leaves(self, number: int) -> bool:
        rivals = [rival for rival in self.undecided if rival != number]
        wins = int(self._beats[number, rivals].sum())
        defeats = int(self._beats[rivals, number].sum())
        is_in = wins > len(rivals) - len(self._free)
        if self._ordered:
            is_in = is_in and wins + defeats == len(rivals)
        if is_in:
            self.places[number] = self._free.pop(defeats if self._ordered else 0)
        if is_in or defeats >= len(self._free):
            self.undecided.remove(number)
            return True
        return False
