"""What cannot be read of a set: counted, named, and an error where it is too much."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from nas.training.data.readers.example import Damaged
from search_spaces.files.user_error import UserError

MAX_NAMED: Final = 5
_FEW: Final = 1000  # pictures of a set of unknown size, before which a share says little
_REMEDY: Final = "mend or remove them, or raise `robust_training.data.max_corrupt_share`"


class CorruptPicturesError(UserError):
    """Too many pictures of a set cannot be read; the message names the first."""


class CorruptPicturesWarning(UserWarning):
    """Pictures that cannot be read were left out; the warning counts them and names the first."""


@dataclass(slots=True, kw_only=True)
class Corruption:
    """Counts what was read of a set and what could not be.

    Attributes:
        max_share: Of what is damaged; more is an error.
        num_pictures: Of the set; None = nobody knows.
        num_read: Pictures so far, with what is damaged.
        num_damaged: What is damaged so far.
        first: The first few of these.
    """

    max_share: float
    num_pictures: int | None = None
    num_read: int = 0
    num_damaged: int = 0
    first: list[Damaged] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)

    def add(self, *, num_read: int, damaged: Sequence[Damaged], num_damaged: int | None = None) -> None:
        """Count more.

        Args:
            num_read: Pictures, with what is damaged among them.
            damaged: What is damaged.
            num_damaged: How many these are, where only the first are given.

        Raises:
            CorruptPicturesError: It is too much, whatever the rest is like.
        """
        self.num_read += num_read
        self.num_damaged += len(damaged) if num_damaged is None else num_damaged
        self.first += damaged[: MAX_NAMED - len(self.first)]
        self._check(self.num_pictures or max(self.num_read, _FEW))

    def meet(self, damaged: Damaged, /) -> None:
        """Count something damaged that may be met again, and tell of the first.

        Raises:
            CorruptPicturesError: It is too much.

        Warns:
            CorruptPicturesWarning: It is the first.
        """
        if damaged.name in self._met:
            return
        self._met.add(damaged.name)
        self.add(num_read=0, damaged=[damaged])
        if self.num_damaged == 1:
            warnings.warn(
                f"a picture is left out, as others will be: {damaged.name} {damaged.reason}",
                CorruptPicturesWarning,
                stacklevel=3,
            )

    def end(self) -> None:
        """Check what was read as the whole set, and tell of what is left out.

        Raises:
            CorruptPicturesError: It is too much, or nothing is left.

        Warns:
            CorruptPicturesWarning: Something is left out.
        """
        if self.num_read == self.num_damaged:
            raise CorruptPicturesError(
                f"there must be a captioned picture, but none of {self.num_read:,} can be read"
                + (f": {self._names()}" if self.first else "")
            )
        self._check(self.num_read)
        if self.num_damaged:
            warnings.warn(f"{self._counted()} and left out: {self._names()}", CorruptPicturesWarning, stacklevel=3)

    def _check(self, num: int) -> None:
        if self.num_damaged > self.max_share * num:
            raise CorruptPicturesError(
                f"at most {self.max_share:.3g} of the pictures may be unreadable (`max_corrupt_share`), but "
                f"{self._counted()}: {self._names()}; {_REMEDY}"
            )

    def _counted(self) -> str:
        return f"{self.num_damaged:,} of {self.num_read:,} pictures cannot be read"

    def _names(self) -> str:
        named = "; ".join(f"{each.name} {each.reason}" for each in self.first)
        more = self.num_damaged - len(self.first)
        return named + (f"; and {more:,} more" if more > 0 else "")
