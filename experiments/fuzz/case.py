"""One input of a fuzzer."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged input, and what reads it.

    Attributes:
        name: Unique among the cases of a fuzzer and seed; says what was done to which file.
        run: Writes the input and reads it. It must return, or raise `UserError` or `OSError`; all else is a find.
    """

    name: str
    run: Callable[[], None]
