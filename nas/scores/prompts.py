"""ValidationSet: the captions whose pictures are scored, each with its own noise seed, in chunks of fixed composition.

Noise is seeded by the caption and the set's seed, never by a worker, and torch is bit-identical only for equal
batches; so a chunk, not a caption, is the unit of work. The captions are shuffled by that seed: whatever order their
file has, the first n are a random sample of them all, which racing relies on.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from nas.settings import settings
from search_spaces.files.strict_text import whole_letters
from search_spaces.files.user_error import UserError


@settings
class ValidationSettings:
    """The prompts that every architecture is scored on."""

    captions: Annotated[
        Path, Field(description="text with a caption a line, .csv, .tsv, .jsonl or .json; docs/pictures.md")
    ]
    num_prompts: Annotated[int, Field(ge=2, description="the first so many captions")] = 24
    chunk_size: Annotated[int, Field(ge=1, description="prompts per batch and task; part of the protocol")] = 8
    confidence: Annotated[float, Field(gt=0, lt=1, description="of the intervals around scores")] = 0.95


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
