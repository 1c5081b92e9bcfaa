"""Encoding a set once: shards of latents and embeddings in a folder of their own, named by what they are made from.

A shard stands whole or not at all and says where the next begins, so that a process that is killed loses one, and the
next process goes on to the very same files. Nothing that is held in memory grows with the set but a few numbers a
shard.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nas.training.data.corruption import Corruption
from nas.training.data.encoding import Encoder
from nas.training.data.readers.example import PictureReader
from nas.training.data.shard_making import KnownCaptions, Reading, ShardMaker
from nas.training.data.shards import ShardError, ShardFacts, read_facts, shard_path
from search_spaces.files.durable.disk import storage_errors
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.parts import sweep
from search_spaces.files.durable.writing import write_text
from search_spaces.files.strict_json import JsonError, read_json_object

CONTENTS: Final = "contents.json"  # written last
THREADS: Final = 4  # that decode
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What the shards of a whole set hold.

    Attributes:
        num_pictures: Of each shard.
        num_captions: Of each shard, its own.
        several: Whether a picture has more than one caption.
    """

    num_pictures: tuple[int, ...]
    num_captions: tuple[int, ...]
    several: bool


def encode_once(
    reader: PictureReader,
    /,
    *,
    encoder: Encoder,
    folder: Path,
    made_from: str,
    max_corrupt_share: float,
    on_progress: Progress = lambda done, total: None,
) -> Contents:
    """Encode what of a set is not encoded yet.

    Args:
        reader: The set.
        encoder: Encodes it.
        folder: Of its shards; other processes that want the same wait for the first.
        made_from: Digest of set, encoders and size.
        max_corrupt_share: What may be left out.
        on_progress: Called with pictures read and how many there are, if that is known.

    Raises:
        CorruptPicturesError: Too much cannot be read.
        ShardError: A shard is damaged.
        StorageError: The disk refuses; the shards that stand are kept.

    Warns:
        CorruptPicturesWarning: Something cannot be read.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = None
    with suppress(OSError):  # a file system without locks: who comes second writes the same
        lock = locked(folder, wait=True)
    corruption = Corruption(max_share=max_corrupt_share, num_pictures=reader.num_pictures)
    try:
        if (contents := _read_contents(folder)) is None:
            sweep(folder)
            contents = _contents(_shards(reader, encoder, folder, made_from, corruption, on_progress))
            corruption.end()
            stored = {name: getattr(contents, name) for name in Contents.__dataclass_fields__}
            write_text(folder / CONTENTS, json.dumps(stored) + "\n")
        else:
            stand = range(len(contents.num_pictures))
            _count(corruption, *(_checked(shard_path(folder, index), made_from) for index in stand))
            corruption.end()
    finally:
        encoder.forget()
        if lock is not None:
            lock.release()
    return contents


def _read_contents(folder: Path) -> Contents | None:
    """What the shards of a folder hold; None while the set is not whole."""
    try:
        stored = read_json_object(folder / CONTENTS)
        return Contents(
            num_pictures=tuple(map(int, stored["num_pictures"])),
            num_captions=tuple(map(int, stored["num_captions"])),
            several=bool(stored["several"]),
        )
    except (OSError, JsonError, KeyError, TypeError, ValueError):
        return None


def _shards(
    reader: PictureReader,
    encoder: Encoder,
    folder: Path,
    made_from: str,
    corruption: Corruption,
    on_progress: Progress,
) -> list[ShardFacts]:
    """All shards, those that stand and those that are made now."""
    shards, goes_on = list[ShardFacts](), (0, 0)
    with closing(KnownCaptions()) as captions, ThreadPoolExecutor(THREADS) as threads:
        maker = ShardMaker(encoder=encoder, captions=captions, threads=threads, made_from=made_from)
        while (path := shard_path(folder, len(shards))).is_file():
            shards.append(_checked(path, made_from))
            captions.learn(path)
            goes_on = shards[-1].goes_on
            _count(corruption, shards[-1])
        pictures = _from(reader, goes_on)
        while (facts := maker.make(shard_path(folder, len(shards)), pictures)) is not None:
            shards.append(facts)
            _count(corruption, facts)
            on_progress(corruption.num_read, corruption.num_pictures)
    return shards


def _from(reader: PictureReader, goes_on: tuple[int, int]) -> Reading:
    """What is left of a set, each with where it goes on after it."""
    part, mark = goes_on
    while part < reader.num_parts:
        for after, each in reader.read(part, start=mark):
            yield (part, after), each
        part, mark = part + 1, 0


def _checked(path: Path, made_from: str) -> ShardFacts:
    facts = read_facts(path)
    if facts.made_from != made_from:
        raise ShardError(f"{path} must be made from {made_from}, but is from {facts.made_from}; remove its folder")
    return facts


def _count(corruption: Corruption, *shards: ShardFacts) -> None:
    """Count what shards are made of."""
    corruption.add(
        num_read=sum(each.num_read for each in shards),
        damaged=[damaged for each in shards for damaged in each.first_damaged()],
        num_damaged=sum(each.num_damaged for each in shards),
    )


def _contents(shards: list[ShardFacts]) -> Contents:
    return Contents(
        num_pictures=tuple(each.num_pictures for each in shards),
        num_captions=tuple(each.num_captions for each in shards),
        several=any(each.several for each in shards),
    )
