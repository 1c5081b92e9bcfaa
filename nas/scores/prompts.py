"""ValidationSet: the captions whose pictures are scored, each with its own noise seed, in chunks of fixed composition.

Noise is seeded by the caption and the set's seed, never by a worker, and torch is bit-identical only for equal
batches; so a chunk, not a caption, is the unit of work. The captions are shuffled by that seed: whatever order their
file has, the first n are a random sample of them all, which racing relies on; and those of n begin those of m > n, so
that more prompts find every whole chunk of fewer in the store.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from nas.settings import settings
from search_spaces.files.strict_text import whole_letters
from search_spaces.files.user_error import UserError


class DrawnFrom(StrEnum):
    """Which captions of a file the seed shuffles: all, before the first are taken, or only the first of the file."""

    FILE = "file"
    FIRST_LINES = "first_lines"


@settings
class ValidationSettings:
    """The prompts that every architecture is scored on, and those that no decision sees."""

    captions: Annotated[
        Path, Field(description="text with a caption a line, .csv, .tsv, .jsonl or .json; docs/pictures.md")
    ]
    num_prompts: Annotated[int, Field(ge=2, description="captions that decide; more of them begin with the same")] = 24
    drawn_from: Annotated[
        DrawnFrom, Field(description="the whole file, or its first num_prompts captions, as 0.1.0 did")
    ] = DrawnFrom.FILE
    final_prompts: Annotated[
        int | None,
        Field(ge=3, description="more captions, on which the best round is chosen; null = the same"),
    ] = None
    held_out: Annotated[
        int | None,
        Field(ge=2, description="further captions, which no decision sees, for the final score; null = none"),
    ] = None
    held_out_captions: Annotated[
        Path | None, Field(description="their file; null = those of `captions` that come last in the order drawn")
    ] = None
    chunk_size: Annotated[int, Field(ge=1, description="prompts per batch and task; part of the protocol")] = 8
    confidence: Annotated[float, Field(gt=0, lt=1, description="of the intervals around scores")] = 0.95

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.final_prompts is not None and self.final_prompts <= self.num_prompts:
            raise UserError(
                f"`final_prompts` ({self.final_prompts}) must be more than `num_prompts` ({self.num_prompts}); "
                " raise it, or leave it out"
            )
        if self.held_out_captions is not None and self.held_out is None:
            raise UserError("`held_out_captions` names a file, but `held_out` does not say how many of it; give both")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One caption and the seed of its noise.

    Of the seed's 56 bits torch's generator on a CPU takes the low 32, so that of 30,000 captions two share their noise
    with a chance of one in ten. That biases nothing: scores are paired by prompt.
    """

    caption: str
    noise_seed: int

    @property
    def prompt_id(self) -> str:
        """Short content digest of caption and seed."""
        return hashlib.sha256(f"{self.noise_seed}|{self.caption}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSet:
    """Prompts in order, cut into chunks of `chunk_size`."""

    prompts: tuple[Prompt, ...]
    chunk_size: int

    def __post_init__(self) -> None:
        if not self.prompts:
            raise UserError(
                "a validation set needs at least one caption, but got none; add a line per caption to its file"
            )
        if self.chunk_size < 1:
            raise UserError(f"`chunk_size` must be at least 1, but got {self.chunk_size}")

    @classmethod
    def from_captions(cls, captions: list[str], /, *, seed: int, chunk_size: int) -> Self:
        """Shuffle captions by the seed; a caption that stands twice gets different noise the second time."""
        seen: dict[str, int] = {}
        prompts = []
        for caption in captions:
            whole_letters(caption, name="a caption")
            occurrence = seen[caption] = seen.get(caption, 0) + 1
            digest = hashlib.sha256(f"{seed}|{occurrence}|{caption}".encode()).digest()
            prompts.append(Prompt(caption=caption, noise_seed=int.from_bytes(digest[:7], "big")))
        return cls(prompts=tuple(sorted(prompts, key=lambda prompt: prompt.noise_seed)), chunk_size=chunk_size)

    def first(self, num_prompts: int, /) -> Self:
        """The first so many of its prompts, all where there are no more, in the same chunks."""
        return replace(self, prompts=self.prompts[:num_prompts])

    @property
    def num_chunks(self) -> int:
        """Chunks that hold all prompts."""
        return -(-len(self.prompts) // self.chunk_size)

    def chunk(self, index: int, /) -> tuple[Prompt, ...]:
        """The prompts of one chunk; the last one may be shorter."""
        if not 0 <= index < self.num_chunks:
            raise IndexError(f"chunk {index} of {self.num_chunks}")
        return self.prompts[index * self.chunk_size : (index + 1) * self.chunk_size]
