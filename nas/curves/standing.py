"""Where an evaluation stands, for whoever waits."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A moment of an evaluation.

    Attributes:
        phase: "starting", "real pictures", "drawing" or "computing".
        done: Workers, pictures, UNet passes or points done.
        total: Of how many; None = nobody knows.
        stored: Of the passes, those that were drawn before.
        what: What is being drawn.
    """

    phase: str
    done: int
    total: int | None
    stored: int = 0
    what: str = ""


Listener: TypeAlias = Callable[[Standing], None]
