"""Architectures as vectors of small numbers: how often each edit of the start is executed. Pure.

What programmes and samplers work on. An edit that cannot be executed beside others is left out when a vector becomes
an architecture, so that every vector means one; `levels` reads the canonical vector back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from nas.algorithms.one_shot.proposer import removals
from nas.algorithms.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Genes:
    """The edits of a problem's start.

    Attributes:
        problem: Whose.
        edits: What may go, sorted.
        most: How often each can be executed alone.
    """

    problem: Problem[Any]
    edits: tuple[Any, ...]
    most: tuple[int, ...]

    @classmethod
    def of(cls, problem: Problem[Any], /) -> Self:
        """The edits of a problem."""
        edits = removals(problem, problem.first)
        return cls(problem=problem, edits=edits, most=tuple(_times(problem, edit, problem.first) for edit in edits))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the blocks that go: "resnet[mid,0]"."""
        return tuple(str(edit)[1:] for edit in self.edits)

    @property
    def steps(self) -> tuple[tuple[int, int], ...]:
        """Each time that each edit can be executed: (index of the edit, 1 = the first time); the columns of `flat`."""
        return tuple((edit, level) for edit, most in enumerate(self.most) for level in range(1, most + 1))

    @property
    def chains(self) -> tuple[tuple[int, int], ...]:
        """Pairs of columns, the second of which needs the first."""
        return tuple((column - 1, column) for column, (_, level) in enumerate(self.steps) if level > 1)

    def flat(self, architecture: Any, /) -> list[int]:
        """A 0 or 1 for each time of each edit."""
        levels = self.levels(architecture)
        return [int(levels[edit] >= level) for edit, level in self.steps]

    def column(self, edit: int, /, *, up_to: int) -> list[int]:
        """The same of one edit executed so often, alone."""
        return [int(edit == other and level <= up_to) for other, level in self.steps]

    def levels_of(self, flat: Sequence[int], /) -> list[int]:
        """How often each edit is executed."""
        levels = [0] * len(self.most)
        for (edit, _), chosen in zip(self.steps, flat, strict=True):
            levels[edit] += chosen
        return levels

    def levels(self, architecture: Any, /) -> tuple[int, ...]:
        """How often each edit was executed."""
        return tuple(
            most - _times(self.problem, edit, architecture) for edit, most in zip(self.edits, self.most, strict=True)
        )

    def architecture(self, levels: Sequence[int], /) -> Any:
        """The start after some edits, each so often as it can be executed beside those before it."""
        architecture = self.problem.first
        for edit, level in zip(self.edits, levels, strict=True):
            for _ in range(level):
                if self.problem.space.why_not(edit, architecture=architecture) is not None:
                    break
                architecture = edit.apply(architecture)
        return architecture


def _times(problem: Problem[Any], edit: Any, architecture: Any) -> int:
    """How often an edit can be executed on end."""
    times, space = 0, problem.space
    while space.why_not(edit, architecture=architecture) is None:
        if space.takes_copy(edit, architecture=architecture):
            break
        architecture, times = edit.apply(architecture), times + 1
    return times
