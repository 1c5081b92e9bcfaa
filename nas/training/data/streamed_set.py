"""StreamedSet: batches of a set that is read and encoded as it comes.

The set is read in a new order of its parts in every epoch, one epoch after the other. As many pictures of this endless
row as are mixed make a block, which is shuffled. A block begins anywhere, so that a training that is resumed reads its
last block again and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
import torch

from nas.training.data.batches import JSON, Batch
from nas.training.data.cached_set import step_generator
from nas.training.data.corruption import MAX_NAMED, Corruption, CorruptPicturesError
from nas.training.data.encoding import Encoder
from nas.training.data.encoding_once import THREADS
from nas.training.data.picture_files import MIDDLE, CroppedPicture, PictureError, read_pictures
from nas.training.data.readers.example import Damaged, Example, PictureReader
from nas.training.data.settings import Crop
from search_spaces.files.user_error import UserError

_ORDER, _MIX = 1, 2  # what is drawn: parts of an epoch, pictures of a block


class _Place(NamedTuple):
    """Where the endless row goes on: an epoch, a part by its rank in the epoch's order, and a place in the part."""

    epoch: int = 0
    rank: int = 0
    mark: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedSet:
    """A set on the disk whose pictures are encoded in every step.

    Attributes:
        reader: Reads it.
        encoder: Encodes it.
        digest: Of the set, the encoders and the size.
        crop: Which part of a picture is shown.
        shuffled_pictures: As many are mixed, or a few more, so that they make whole batches.
        max_corrupt_share: What may be left out.
    """

    reader: PictureReader
    encoder: Encoder
    digest: str
    crop: Crop
    shuffled_pictures: int
    max_corrupt_share: float

    def batches(
        self,
        *,
        seed: int,
        size: int,
        caption_dropout: float,
        start: int = 0,
        position: Mapping[str, JSON] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> Iterator[Batch]:
        """Endless batches; see `nas.training.data.batches`.

        In place of a picture that cannot be decoded stands the next of its block that can, whatever other ranks find.

        Raises:
            UserError: `start` is not 0 and there is no position, or one of batches of another size.
            CorruptPicturesError: Too much cannot be read.
        """
        rows = world * size
        if start and not position:
            raise UserError(f"batch {start} of a set that is read as it comes needs the position after the one before")
        at: dict[str, JSON] = {"block": 0, "row": 0, "place": _Place(), "rows": rows} | dict(position or {})
        if at["rows"] != rows:
            raise UserError(
                f"batches go on as they began, with {at['rows']} pictures of all processes, but {rows} are "
                "asked for; keep `batch_size` and the number of processes"
            )
        place, row, step = _Place(*at["place"]), int(at["row"]), start
        corruption = Corruption(max_share=self.max_corrupt_share)
        with ThreadPoolExecutor(THREADS) as threads:
            for block in count(int(at["block"])):
                examples, after = self._block(place, seed=seed, num=-(-self.shuffled_pictures // rows) * rows)
                _count(corruption, place, after, examples)
                drawn = _Block([each for each in examples if isinstance(each, Example)], self, corruption, threads)
                order = np.random.default_rng([seed, _MIX, block]).permutation(len(drawn.examples))
                while row + rows <= len(order):
                    own = order[row + rank * size : row + (rank + 1) * size].tolist()
                    row += rows
                    is_last = row + rows > len(order)
                    told = (
                        {"block": block + 1, "row": 0, "place": list(after), "rows": rows}
                        if is_last
                        else {"block": block, "row": row, "place": list(place), "rows": rows}
                    )
                    generator = step_generator(seed=seed, step=step)
                    mine = slice(rank * size, (rank + 1) * size)
                    shares = torch.rand(rows, 4, generator=generator)[mine].tolist()
                    yield drawn.batch(own, shares, caption_dropout, generator, told)
                    step += 1
                place, row = after, 0

    def _block(self, place: _Place, *, seed: int, num: int) -> tuple[list[Example | Damaged], _Place]:
        """The next pictures of the endless row, as many as asked for that are not damaged, and where it goes on."""
        found, num_found, after = list[Example | Damaged](), 0, place
        for reached, each in self._row(place, seed=seed):
            found.append(each)
            after = reached
            num_found += isinstance(each, Example)
            if num_found == num:
                break
        return found, after

    def _row(self, place: _Place, *, seed: int) -> Iterator[tuple[_Place, Example | Damaged]]:
        for epoch in count(place.epoch):
            order = np.random.default_rng([seed, _ORDER, epoch]).permutation(self.reader.num_parts)
            is_first = epoch == place.epoch
            num, first, damaged = 0, place.rank if is_first else 0, list[Damaged]()
            for rank in range(first, len(order)):
                mark = place.mark if is_first and rank == first else 0
                for after, each in self.reader.read(int(order[rank]), start=mark):
                    yield _Place(epoch, rank, after), each
                    if isinstance(each, Example):
                        num += 1
                    elif len(damaged) < MAX_NAMED:
                        damaged.append(each)
            if not num and not (is_first and (place.rank or place.mark)):
                told = "; ".join(f"{each.name} {each.reason}" for each in damaged)
                raise CorruptPicturesError(f"there must be a captioned picture, but is none{told and f': {told}'}")


@dataclass(frozen=True, slots=True)
class _Block:
    """Pictures that are mixed."""

    examples: Sequence[Example]
    data: StreamedSet
    corruption: Corruption
    threads: ThreadPoolExecutor

    def batch(
        self,
        own: list[int],
        shares: Sequence[Sequence[float]],
        caption_dropout: float,
        generator: torch.Generator,
        position: Mapping[str, JSON],
    ) -> Batch:
        """A batch of some of the pictures.

        Args:
            own: Which.
            shares: For each four draws: of its cut from above and from the left, its caption, whether that is dropped.
            caption_dropout: Share of captions that are.
            generator: Of the step.
            position: After the batch.
        """
        chosen, pictures = self._decoded(own, [(share[0], share[1]) for share in shares])
        captions = [
            "" if share[3] < caption_dropout else each.captions[int(share[2] * len(each.captions))]
            for each, share in zip(chosen, shares, strict=True)
        ]
        encoder = self.data.encoder
        crops = torch.tensor([each.top_left_px for each in pictures])
        return Batch(
            latents=encoder.latents(pictures),
            text=encoder.texts(captions).cropped(crops),
            generator=generator,
            pictures=tuple(each.name for each in chosen),
            position=position,
        )

    def _decoded(
        self, own: list[int], shares: Sequence[tuple[float, float]]
    ) -> tuple[list[Example], list[CroppedPicture]]:
        """The pictures, or in place of one that is damaged the next that is not."""
        places = shares if self.data.crop is Crop.RANDOM else [MIDDLE] * len(own)
        chosen, pictures = [self.examples[index] for index in own], list[CroppedPicture]()
        size_px = self.data.encoder.size_px
        found = read_pictures([each.picture for each in chosen], size_px=size_px, places=places, threads=self.threads)
        for row, picture in enumerate(found):
            index = own[row]
            while isinstance(picture, PictureError):
                damaged = Damaged(name=chosen[row].name, reason=str(picture))
                self.corruption.meet(damaged)
                index = (index + 1) % len(self.examples)
                if index == own[row]:
                    raise CorruptPicturesError(
                        f"none of {len(self.examples):,} pictures can be read: {damaged.name} {damaged.reason}"
                    )
                chosen[row] = self.examples[index]
                (picture,) = read_pictures([chosen[row].picture], size_px=size_px, places=[places[row]])
            pictures.append(picture)
        return chosen, pictures


def _count(corruption: Corruption, place: _Place, after: _Place, examples: Sequence[Example | Damaged]) -> None:
    """Count what was read in the first epoch; what comes later is the same again."""
    if place.epoch:
        return
    if after.epoch == 0:
        corruption.add(num_read=sum(isinstance(each, Example) for each in examples), damaged=[])
    for each in examples:
        if isinstance(each, Damaged):
            corruption.num_read += 1
            corruption.meet(each)
