"""How long a worker may be silent before it is named, and before it counts as lost: by what answers took so far."""

from dataclasses import dataclass, field
from math import inf
from typing import Final

NAMED_AFTER_S: Final = 60.0  # at least; then after twice as long, and so on
NAMED_AFTER: Final = 4.0  # of the longest answer so far
LOST_AFTER_S: Final = 600.0  # at least, without a setting
LOST_AFTER: Final = 20.0  # of the longest answer so far: compiling and warming up are in the first answers


@dataclass(slots=True, kw_only=True)
class Patience:
    """What the workers of one pool are given.

    Attributes:
        timeout_s: Seconds after which a silent worker is lost; None = by the longest answer, once there is one.
        longest_s: The longest answer so far.
    """

    timeout_s: float | None = None
    longest_s: float = 0.0

    def answered(self, seconds: float, /) -> None:
        """An answer took so long."""
        self.longest_s = max(self.longest_s, seconds)

    @property
    def lost_after_s(self) -> float:
        """Seconds of silence after which a worker is lost."""
        if self.timeout_s is not None:
            return self.timeout_s
        return max(LOST_AFTER_S, LOST_AFTER * self.longest_s) if self.longest_s else inf

    @property
    def named_after_s(self) -> float:
        """Seconds of silence after which a worker is first named."""
        return max(NAMED_AFTER_S, NAMED_AFTER * self.longest_s)


@dataclass(slots=True, kw_only=True)
class Silence:
    """One worker that was asked something and has not answered yet.

    Attributes:
        since: When it was asked, in seconds.
        patience: What it is given.
    """

    since: float
    patience: Patience
    _named: int = field(default=0, init=False)

    def next_look(self) -> float:
        """When to look at it again."""
        return self.since + min(self.patience.lost_after_s, self._named_after_s)

    def is_lost(self, now: float, /) -> bool:
        """Whether it has been silent for too long."""
        return now - self.since >= self.patience.lost_after_s

    def is_news(self, now: float, /) -> bool:
        """Whether it is to be named now, which it is seldomer and seldomer."""
        if now - self.since < self._named_after_s:
            return False
        while now - self.since >= self._named_after_s:
            self._named += 1
        return True

    @property
    def _named_after_s(self) -> float:
        return float(self.patience.named_after_s * 2**self._named)
