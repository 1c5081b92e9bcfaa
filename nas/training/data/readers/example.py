"""What a reader gives: captioned pictures, and what it could not read, each with where reading goes on after it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from nas.training.data.picture_files import Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One picture and what it shows.

    Attributes:
        name: For messages: of a file, relative to the set.
        captions: What it shows, in one or more ways; "" is a picture without text.
        picture: Where its bytes are; nothing is decoded yet.
    """

    name: str
    captions: tuple[str, ...]
    picture: Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """Something that should have been a captioned picture.

    Attributes:
        name: For messages.
        reason: What is wrong with it; begins with "must".
    """

    name: str
    reason: str


Read: TypeAlias = tuple[int, Example | Damaged]


class PictureReader(Protocol):
    """A set of captioned pictures on disk, in parts that can be read in any order."""

    @property
    def num_parts(self) -> int:
        """Files of a set that holds many pictures a file; pictures of a set that holds one."""
        ...

    @property
    def num_pictures(self) -> int | None:
        """How many there are; None where only reading all tells."""
        ...

    @property
    def digest(self) -> str:
        """Of names, captions and pictures, wherever they stand; reads all of them."""
        ...

    def read(self, part: int, /, *, start: int = 0) -> Iterator[Read]:
        """What a part holds, in its order.

        Args:
            part: Counted from 0.
            start: Where to begin: 0, or a number that came with an example, after which reading goes on.

        Yields:
            Where to go on after it, and an example, or what could not be read.
        """
        ...
