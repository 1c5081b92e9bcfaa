"""Making a shard: the next pictures of a set, encoded, and the captions that no shard before has embedded."""

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from nas.training.data.corruption import MAX_NAMED
from nas.training.data.encoding import Encoder
from nas.training.data.picture_files import CroppedPicture, read_pictures
from nas.training.data.readers.example import Damaged, Example
from nas.training.data.shards import ShardFacts, mapped, packed, unpacked, write_shard

SHARD_PICTURES: Final = 1024  # read for a shard: at 4x64x64 34 MB of latents
SHARD_CAPTIONS: Final = 1024  # or until so many are new: of SD-1.5 121 MB of embeddings, of SDXL 323
Reading = Iterator[tuple[tuple[int, int], Example | Damaged]]


class KnownCaptions:
    """The number of every caption: on the disk, in a file that SQLite takes away with the object."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE captions (digest BLOB PRIMARY KEY, id INTEGER) WITHOUT ROWID")
        self.num = 0

    def number(self, caption: str, /) -> tuple[int, bool]:
        """The number of a caption, and whether it is new."""
        digest = sha256(caption.encode()).digest()[:16]
        found = self._database.execute("SELECT id FROM captions WHERE digest = ?", (digest,)).fetchone()
        if found is not None:
            return int(found[0]), False
        self._database.execute("INSERT INTO captions VALUES (?, ?)", (digest, self.num))
        self.num += 1
        return self.num - 1, True

    def learn(self, shard: Path, /) -> None:
        """Number the captions that a shard has embedded."""
        tensors = mapped(shard)
        for index in range(len(tensors["text_ends"])):
            self.number(unpacked(tensors["texts"], tensors["text_ends"], index=index))

    def close(self) -> None:
        """Take it away."""
        self._database.close()


@dataclass(slots=True, kw_only=True)
class ShardMaker:
    """Makes one shard after the other.

    Attributes:
        encoder: Encodes pictures and captions.
        captions: Those that have a number.
        threads: Decode.
        made_from: Digest that shards are told.
    """

    encoder: Encoder
    captions: KnownCaptions
    threads: ThreadPoolExecutor
    made_from: str

    def make(self, path: Path, pictures: Reading, /) -> ShardFacts | None:
        """Write a shard of the next pictures; None where no more are left.

        Raises:
            StorageError: The disk refuses.
        """
        rows, num_read, goes_on = _Rows(), 0, (0, 0)
        if self.captions.num == 0:  # what dropped captions are, of every set the first
            self._number("", rows)
        while num_read < SHARD_PICTURES and len(rows.texts) < SHARD_CAPTIONS:
            batch = list(islice(pictures, self.encoder.batch_size))
            if not batch:
                break
            self._encode([each for _, each in batch], rows)
            num_read += len(batch)
            goes_on = batch[-1][0]
        if not num_read:
            return None
        facts = ShardFacts(
            made_from=self.made_from,
            num_pictures=len(rows.names),
            num_read=num_read,
            num_captions=len(rows.texts),
            several=len(rows.caption_ids) > len(rows.names),
            goes_on=goes_on,
            damaged=tuple((each.name, each.reason) for each in rows.damaged[:MAX_NAMED]),
            num_damaged=len(rows.damaged),
        )
        write_shard(path, rows.tensors() | self._embedded(rows.texts), facts=facts)
        return facts

    def _encode(self, read: Sequence[Example | Damaged], rows: "_Rows") -> None:
        examples = [each for each in read if isinstance(each, Example)]
        rows.damaged += [each for each in read if isinstance(each, Damaged)]
        found = read_pictures([each.picture for each in examples], size_px=self.encoder.size_px, threads=self.threads)
        good = list[CroppedPicture]()
        for example, picture in zip(examples, found, strict=True):
            if isinstance(picture, CroppedPicture):
                good.append(picture)
                rows.names.append(example.name)
                rows.crops.append(picture.top_left_px)
                rows.caption_ids += [self._number(caption, rows) for caption in example.captions]
                rows.caption_ends.append(len(rows.caption_ids))
            else:
                rows.damaged.append(Damaged(name=example.name, reason=str(picture)))
        if good:
            rows.latents.append(self.encoder.latents(good).half())

    def _number(self, caption: str, rows: "_Rows") -> int:
        number, is_new = self.captions.number(caption)
        if is_new:
            rows.texts.append(caption)
        return number

    def _embedded(self, texts: Sequence[str]) -> dict[str, Tensor]:
        size, parts = self.encoder.batch_size, dict[str, list[Tensor]]()
        for start in range(0, len(texts), size):
            embedded = self.encoder.texts(texts[start : start + size])
            parts.setdefault("embeddings", []).append(embedded.embeddings.half())
            if embedded.pooled is not None:
                parts.setdefault("pooled", []).append(embedded.pooled.half())
        return {name: torch.cat(part).contiguous() for name, part in parts.items()}


@dataclass(slots=True)
class _Rows:
    """What a shard will hold, as far as it is read."""

    names: list[str] = field(default_factory=list)
    crops: list[tuple[int, int]] = field(default_factory=list)
    caption_ids: list[int] = field(default_factory=list)
    caption_ends: list[int] = field(default_factory=list)
    latents: list[Tensor] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)

    def tensors(self) -> dict[str, Tensor]:
        names, name_ends = packed(self.names)
        texts, text_ends = packed(self.texts)
        tensors = {
            "crops": torch.tensor(self.crops, dtype=torch.int32).view(-1, 2),
            "caption_ids": torch.tensor(self.caption_ids, dtype=torch.int64),
            "caption_ends": torch.tensor(self.caption_ends, dtype=torch.int64),
            "names": names,
            "name_ends": name_ends,
            "texts": texts,
            "text_ends": text_ends,
        }
        return tensors | ({"latents": torch.cat(self.latents)} if self.latents else {})
