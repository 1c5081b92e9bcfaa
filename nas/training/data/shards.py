"""A shard of a set that is encoded: one safetensors file, mapped from the disk, that says itself where reading goes on.

| tensor | what |
|---|---|
| latents | float16 (pictures, channels, height, width) |
| crops | int32 (pictures, 2), pixels from above and from the left |
| caption_ids, caption_ends | the captions of picture i are caption_ids[caption_ends[i-1]:caption_ends[i]] |
| embeddings, pooled | float16, of the captions that no shard before has; ids count them through all shards |
| texts, names | uint8: those captions and the names of pictures, in UTF-8 one after the other, with `_ends` |
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Int, UInt8
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nas.training.data.readers.example import Damaged
from search_spaces.files.durable.writing import whole
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.user_error import UserError

SUFFIX: Final = ".safetensors"
_TOLD: Final = "shard"
_COUNTS: Final = ("num_pictures", "num_read", "num_captions", "num_damaged")
_MAPPED: Final = 64  # shards at a time: their pages count as this process's memory, though the system may drop them


class ShardError(UserError):
    """A shard that is damaged or another set's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFacts:
    """What a shard says of itself.

    Attributes:
        made_from: Digest of the set, the encoders and the size.
        num_pictures: That it holds.
        num_read: Pictures that were read for it, with damaged ones.
        num_captions: That it embeds.
        several: Whether a picture has more than one.
        goes_on: Part of the set, and place in it, where the next shard begins.
        damaged: What could not be read, the first few.
        num_damaged: How many there were.
    """

    made_from: str
    num_pictures: int
    num_read: int
    num_captions: int
    several: bool
    goes_on: tuple[int, int]
    damaged: tuple[tuple[str, str], ...]
    num_damaged: int

    def first_damaged(self) -> list[Damaged]:
        """The first few of what could not be read."""
        return [Damaged(name=name, reason=reason) for name, reason in self.damaged]


def shard_path(folder: Path, index: int, /) -> Path:
    """Where a shard stands."""
    return folder / f"{index:05d}{SUFFIX}"


def write_shard(path: Path, tensors: Mapping[str, Tensor], /, *, facts: ShardFacts) -> None:
    """Write a shard, whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    told = json.dumps({name: getattr(facts, name) for name in ShardFacts.__dataclass_fields__}, ensure_ascii=True)
    with whole(path) as part:
        save_file(dict(tensors), part, metadata={_TOLD: told})


def read_facts(path: Path, /) -> ShardFacts:
    """What a shard says of itself; no tensor is read.

    Raises:
        ShardError: It is none.
    """
    try:
        with safe_open(path, framework="pt") as file:
            told: Any = parse_json((file.metadata() or {})[_TOLD])
        part, mark = told.pop("goes_on")
        damaged = tuple((str(name), str(reason)) for name, reason in told.pop("damaged"))
        if odd := [told[name] for name in _COUNTS if type(told[name]) is not int] or {type(part), type(mark)} - {int}:
            raise TypeError(f"whole numbers are wanted, but it says {odd}")
        return ShardFacts(**told, goes_on=(part, mark), damaged=damaged)
    except (SafetensorError, JsonError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ShardError(f"{path} must be a shard of encoded pictures, but is not ({error}); remove it") from error


@lru_cache(maxsize=_MAPPED)
def mapped(path: Path, /) -> dict[str, Tensor]:
    """The tensors of a shard, whose pages are read from the disk when they are looked at.

    Raises:
        ShardError: It is gone or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError) as error:
        raise ShardError(f"{path} must be a shard of encoded pictures, but is not ({error}); remove it") from error


def packed(texts: Sequence[str], /) -> tuple[UInt8[Tensor, " bytes"], Int[Tensor, " n"]]:
    """Texts one after the other, and where each ends."""
    encoded = [text.encode() for text in texts]
    ends = torch.tensor([len(each) for each in encoded], dtype=torch.int64).cumsum(0)
    return torch.frombuffer(bytearray(b"".join(encoded) or b"\0"), dtype=torch.uint8), ends


def unpacked(data: UInt8[Tensor, " bytes"], ends: Int[Tensor, " n"], /, *, index: int) -> str:
    """One of these texts."""
    start = int(ends[index - 1]) if index else 0
    return bytes(data[start : int(ends[index])].tolist()).decode()
