"""Action: remove (A-) or copy (A+) one block; SnapFusion, section 3.2.

An action moves one gene by one. Copying a skipped block brings it back; copying one that is there adds a copy.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.blocks import BlockKind

GENES: Final = {BlockKind.RESNET: "resnets", BlockKind.CROSS_ATTENTION: "cross_attentions"}


class Sign(StrEnum):
    """Direction of an action, in the paper's notation."""

    REMOVE = "-"
    COPY = "+"


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
        return f"{self.sign}{self.kind}[{self.stage},{self.position}]"

    @classmethod
    def parse(cls, text: str, /) -> Self:
        """Read the text form back.

        Raises:
            ArchitectureError: Not of the form "-cross_attention[up.3,0]".
        """
        match = re.fullmatch(r"([+-])(resnet|cross_attention)\[(mid|(?:down|up)\.\d+),(\d+)\]", text.strip())
        if match is None:
            raise ArchitectureError(f'an action is written like "-cross_attention[up.3,0]", but got {text!r}')
        sign, kind, stage, position = match.groups()
        return cls(sign=Sign(sign), kind=BlockKind(kind), stage=stage, position=int(position))

    @property
    def inverse(self) -> Self:
        """The action that undoes this one."""
        return replace(self, sign=Sign.COPY if self.sign is Sign.REMOVE else Sign.REMOVE)

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
