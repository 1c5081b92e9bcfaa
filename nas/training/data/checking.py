"""What is checked of a set before anything is loaded: as much as is quick, which of a small set is all."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from nas.training.data.corruption import Corruption
from nas.training.data.picture_files import PictureError, read_pictures
from nas.training.data.readers.example import Damaged, Example, PictureReader

FIRST: Final = 256  # pictures
FIRST_CAPTIONS: Final = 10_000


def check_pictures(reader: PictureReader, /, *, max_corrupt_share: float) -> None:
    """Check the first pictures of a set, by decoding them: of a small set all.

    Raises:
        CorruptPicturesError: More of them are damaged than may be of the whole set.
    """
    read = list(islice(_examples(reader), FIRST + 1))
    damaged = [each for each in read if isinstance(each, Damaged)]
    examples = [each for each in read if isinstance(each, Example)]
    for example, found in zip(
        examples, read_pictures([each.picture for each in examples], size_px=(1, 1)), strict=True
    ):
        if isinstance(found, PictureError):
            damaged.append(Damaged(name=example.name, reason=str(found)))
    corruption = Corruption(max_share=max_corrupt_share, num_pictures=reader.num_pictures)
    corruption.add(num_read=len(read), damaged=damaged)
    if len(read) <= FIRST:
        corruption.end()


def first_captions(reader: PictureReader, /) -> list[str]:
    """Captions of a set, the first of a large one, without its pictures."""
    captions = (text for each in _examples(reader) if isinstance(each, Example) for text in each.captions)
    return list(islice(captions, FIRST_CAPTIONS))


def _examples(reader: PictureReader) -> Iterator[Example | Damaged]:
    for part in range(reader.num_parts):
        for _, each in reader.read(part):
            yield each
