"""Actions: remove (A-) or copy (A+) one block; SnapFusion, section 3.2; and several of them as one step.

An action moves one gene by one. Copying a skipped block brings it back; copying one that is there adds a copy. Where a
space ties blocks together, as stock diffusers configs do, a `CompoundAction` moves all that must move at once. A
position whose genes are 0 can go altogether, with the skip that it makes or takes: that is what BK-SDM does to pairs.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import total_ordering
from itertools import groupby
from typing import Final, Self, TypeAlias

from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.blocks import BlockKind

GENES: Final = {BlockKind.RESNET: "resnets", BlockKind.CROSS_ATTENTION: "cross_attentions"}
_PLACE: Final = r"(mid|(?:down|up)\.\d+)"
_AND: Final = "&"
_TIMES: Final = "*"


class Sign(StrEnum):
    """Direction of an action, in the paper's notation."""

    REMOVE = "-"
    COPY = "+"

    @property
    def opposite(self) -> "Sign":
        """The other direction."""
        return Sign.COPY if self is Sign.REMOVE else Sign.REMOVE


class CopyStart(StrEnum):
    """How the weights of a copied block start.

    The paper leaves it open. `NEUTRAL` copies the block and zeroes its output projections, so that the function is
    unchanged at birth and training decides; `SAME` keeps every weight, so that the block runs twice; `GATED` lies
    between: output projections keep a tenth, so that the copy says softly what its original says, and all of its
    weights learn from the first step.
    """

    NEUTRAL = "neutral"
    SAME = "same"
    GATED = "gated"

    @property
    def gate(self) -> float:
        """What a copy's output projections are multiplied with at birth."""
        return {CopyStart.NEUTRAL: 0.0, CopyStart.GATED: 0.1, CopyStart.SAME: 1.0}[self]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Action:
    """One step of the evolution, such as "-cross_attention[up.3,0]".

    Attributes:
        sign: Remove or copy.
        kind: `BlockKind.RESNET` or `BlockKind.CROSS_ATTENTION`.
        stage: Place of the stage, such as "up.3".
        position: Index of the position in the base model's stage.
    """

    sign: Sign
    kind: BlockKind
    stage: str
    position: int

    def __post_init__(self) -> None:
        if self.kind not in GENES:
            raise ArchitectureError(f"`kind` of an action must be resnet or cross_attention, but got {self.kind}")

    def __str__(self) -> str:
        return f"{self.sign}{self.block}"

    @classmethod
    def parse(cls, text: str, /) -> Self:
        """Read the text form back.

        Raises:
            ArchitectureError: Not of the form "-cross_attention[up.3,0]".
        """
        match = re.fullmatch(rf"([+-])(resnet|cross_attention)\[{_PLACE},(\d+)\]", text.strip())
        if match is None:
            raise ArchitectureError(f'an action is written like "-cross_attention[up.3,0]", but got {text!r}')
        sign, kind, stage, position = match.groups()
        return cls(sign=Sign(sign), kind=BlockKind(kind), stage=stage, position=int(position))

    @property
    def block(self) -> str:
        """Name of the block that it is about: "cross_attention[up.3,0]"."""
        return f"{self.kind}[{self.stage},{self.position}]"

    @property
    def blocks(self) -> "tuple[Action, ...]":
        """The blocks that it moves, each by an action: itself."""
        return (self,)

    @property
    def inverse(self) -> Self:
        """The action that undoes this one."""
        return replace(self, sign=self.sign.opposite)

    def apply(self, architecture: Architecture, /) -> Architecture:
        """The architecture after the action.

        Raises:
            ArchitectureError: The block is not there.
        """
        position = architecture.position(self.stage, self.position)
        count = getattr(position, GENES[self.kind])
        if self.sign is Sign.REMOVE and count == 0:
            raise ArchitectureError(f"{self} cannot be executed: {self.stage}[{self.position}] has no {self.kind} left")
        changed = count + (1 if self.sign is Sign.COPY else -1)
        return architecture.with_position(self.stage, replace(position, **{GENES[self.kind]: changed}))


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAction:
    """Take out a position that holds no block any more, or put such a one in: "-position[down.1,1]".

    Never alone: the number of skips that a down stage makes must stay the number that its up stage takes.
    """

    sign: Sign
    stage: str
    position: int

    def __str__(self) -> str:
        return f"{self.sign}position[{self.stage},{self.position}]"

    @classmethod
    def parse(cls, text: str, /) -> Self:
        """Read the text form back.

        Raises:
            ArchitectureError: Not of the form "-position[down.1,1]".
        """
        match = re.fullmatch(rf"([+-])position\[{_PLACE},(\d+)\]", text.strip())
        if match is None:
            raise ArchitectureError(f'an action on a position is written like "-position[down.1,1]", but got {text!r}')
        sign, stage, position = match.groups()
        return cls(sign=Sign(sign), stage=stage, position=int(position))

    @property
    def inverse(self) -> Self:
        """The action that undoes this one."""
        return replace(self, sign=self.sign.opposite)

    def apply(self, architecture: Architecture, /) -> Architecture:
        """The architecture after the action.

        Raises:
            ArchitectureError: The position still holds blocks, is not there, or is there already.
        """
        if self.sign is Sign.COPY:
            return architecture.with_new_position(self.stage, self.position)
        position = architecture.position(self.stage, self.position)
        if position.resnets or position.cross_attentions:
            raise ArchitectureError(
                f"{self} cannot be executed: {self.stage}[{self.position}] still holds {position.resnets} ResNets and "
                f"{position.cross_attentions} cross-attentions; remove them first"
            )
        return architecture.without_position(self.stage, self.position)


@total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class CompoundAction:
    """Several steps of one sign that only make sense together, written "-resnet[up.0,1]&-position[up.0,1]".

    The same step several times on end is written once: "-cross_attention[mid,0]*10".

    Attributes:
        steps: In the order in which they are executed.
    """

    steps: "tuple[Action | PositionAction, ...]"

    def __post_init__(self) -> None:
        if len({step.sign for step in self.steps}) != 1:
            raise ArchitectureError(
                f"the steps of a compound action must all remove or all copy, but got {str(self) or 'none'!r}"
            )

    def __str__(self) -> str:
        runs = ((step, sum(1 for _ in run)) for step, run in groupby(self.steps))
        return _AND.join(str(step) if num == 1 else f"{step}{_TIMES}{num}" for step, num in runs)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, (Action, CompoundAction)):
            return NotImplemented
        return str(self) < str(other)

    @property
    def sign(self) -> Sign:
        """Remove or copy."""
        return self.steps[0].sign

    @property
    def blocks(self) -> tuple[Action, ...]:
        """The blocks that it moves, each by an action."""
        return tuple(step for step in self.steps if isinstance(step, Action))

    @property
    def inverse(self) -> Self:
        """The action that undoes this one."""
        return replace(self, steps=tuple(step.inverse for step in reversed(self.steps)))

    def apply(self, architecture: Architecture, /) -> Architecture:
        """The architecture after all steps.

        Raises:
            ArchitectureError: One of them cannot be executed.
        """
        for step in self.steps:
            architecture = step.apply(architecture)
        return architecture


AnyAction: TypeAlias = Action | CompoundAction
Steps: TypeAlias = tuple[Action | PositionAction, ...]


def parse_action(text: str, /) -> AnyAction:
    """Read the text form of any action back.

    Raises:
        ArchitectureError: Not actions, written like "-cross_attention[up.3,0]", with "&" between the steps of one.
    """
    steps: list[Action | PositionAction] = []
    for part in text.split(_AND):
        step, times, num = part.strip().partition(_TIMES)
        if times and not (num.isdecimal() and int(num) > 1):
            raise ArchitectureError(f'a repeated action is written like "-cross_attention[mid,0]*10", but got {part!r}')
        one = PositionAction.parse(step) if step[1:].startswith("position") else Action.parse(step)
        steps += [one] * int(num or 1)
    return together(tuple(steps))


def together(steps: Steps, /) -> AnyAction:
    """Steps as one action; a single one on a block stays what it is."""
    return steps[0] if len(steps) == 1 and isinstance(steps[0], Action) else CompoundAction(steps=steps)
