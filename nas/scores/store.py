"""Scores on disk by content: what was scored once is never generated again, neither after a resume nor elsewhere.

The key is what the scores depend on: weights, architecture, protocol (how pictures are made and judged), the chunk's
prompts in their order, and what made them (`nas.scores.maker`). Nothing else counts: a search of the same prompts for
another device finds every chunk, and many searches may use one store at once. The first value written for a key stays.

    store.json
    <weights>/scores.jsonl                                                    scores, a line per chunk
    <weights>/<architecture>-<protocol>-<prompts>.pictures.parquet            (and .samples.parquet)

Every line and every file is sealed, and stands whole or not at all; one that was damaged nevertheless is told and made
again. Stores of 0.1.0, which kept a file of scores per chunk, are read as they are.
"""

import math
import warnings
from collections.abc import Callable, Collection, Sequence
from os import PathLike
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from nas.scores.prompts import Prompt
from nas.scores.stored import marking
from nas.scores.stored.former import SUFFIX, ChunkPrompts, StoredFile, stored_files
from nas.scores.stored.frames import chunks_of, columns_of_chunks
from nas.scores.stored.journal import Journal
from nas.scores.stored.keys import (
    CLIP_COLUMN,
    UNKNOWN_MAKER,
    ScoreKey,
    ScoreStoreError,
    ScoreStoreWarning,
    chosen_columns,
    columns_of,
    digest_of_prompts,
    name_flaw,
    several,
)
from nas.scores.stored.pictures import as_pictures, as_table, read_sealed, write_sealed
from search_spaces.files.paths import local_path

__all__ = [
    "CLIP_COLUMN",
    "UNKNOWN_MAKER",
    "ScoreKey",
    "ScoreStore",
    "ScoreStoreError",
    "ScoreStoreWarning",
    "digest_of_prompts",
    "name_flaw",
]

_SCORES, _PICTURES, _SAMPLES = "scores", "pictures", "samples"
_KINDS: Final = (_PICTURES, _SAMPLES)


class ScoreStore:
    """A folder of scores and pictures.

    Args:
        folder: Made when there is none.

    Raises:
        ScoreStoreError: It holds something else, or a store of another schema.
        StorageError: It cannot be written to.
    """

    def __init__(self, folder: str | PathLike[str], /) -> None:
        self._folder = local_path(folder)
        self._before_writing: Callable[[], None] | None = None
        self._journals: dict[str, Journal] = {}
        self._prompts: dict[str, ChunkPrompts] = {}  # of chunks that frames have read
        self._has_former: dict[str, bool] = {}  # by weights: whether 0.1.0 kept scores there
        self._is_of_today = False  # whether its mark is known to be of this schema
        marking.check_schema(self._folder)

    @classmethod
    def own(cls, folder: Path, /, *, before_writing: Callable[[], None] | None = None) -> Self:
        """A store that belongs to one run, which knows what it is: its mark is made again where it is gone.

        Args:
            folder: Made when there is none.
            before_writing: Called before anything is written; raises if nothing may be.

        Raises:
            ScoreStoreError: It is a store of another schema.
            StorageError: It cannot be written to.

        Warns:
            ScoreStoreWarning: The mark was missing or damaged.
        """
        if folder.is_dir() and marking.mark_of(folder) is None and any(folder.iterdir()):
            marking.mark(folder)
            warnings.warn(
                f"{folder / marking.NAME} was missing or damaged: made again", ScoreStoreWarning, stacklevel=3
            )
        store = cls(folder)
        store._before_writing = before_writing
        return store

    @classmethod
    def existing(cls, folder: str | PathLike[str], /) -> Self:
        """A store that is there already; a wrong name makes no folder.

        Raises:
            ScoreStoreError: There is none, or one of another schema.
        """
        folder = local_path(folder)
        if not (folder / marking.NAME).is_file():
            raise ScoreStoreError(
                f"there is no score store {folder}; a run keeps its scores in its own `scores`, unless `score_store` "
                "named another folder: then give that one"
            )
        return cls(folder)

    def get(self, key: ScoreKey, /, *, score: str = CLIP_COLUMN) -> tuple[float, ...] | None:
        """The numbers of a score under a key, one per prompt; None when there are none yet.

        Raises:
            ScoreStoreError: Another score stands under this key.

        Warns:
            ScoreStoreWarning: They were damaged.
        """
        if (former := self._former(key)) is not None:
            names, numbers = former.column_names, former[score].to_pylist() if score in former.column_names else ()
        elif (entry := self._journal(key.weights_digest).get(key)) is not None:
            names, numbers = [entry.score], entry.numbers
        else:
            return None
        if score not in names:
            raise ScoreStoreError(
                f"what {self._folder} holds under {key} must be the score {score!r}, but is {', '.join(names)}; two "
                "scores never share a protocol's digest: give another store"
            )
        return tuple(numbers)

    def makers(self, weights_digest: str, /) -> tuple[str, ...]:
        """What made the scores of some weights, in the order in which they first did."""
        former = [UNKNOWN_MAKER] if self._holds_former(weights_digest) else []
        entries = self._journal(weights_digest).entries()
        return tuple(dict.fromkeys([*former, *(key.made_by for key, _ in entries)]))

    def pictures(self, key: ScoreKey, /) -> npt.NDArray[np.uint8] | None:
        """The pictures under a key, whatever made them, uint8 (n, h, w, 3); None when none were kept.

        Warns:
            ScoreStoreWarning: They were damaged and set aside.
        """
        table = read_sealed(self._path(key, _PICTURES))
        return None if table is None else as_pictures(table)

    def put(
        self,
        key: ScoreKey,
        /,
        *,
        prompts: Sequence[Prompt],
        scores: Sequence[float],
        pictures: npt.NDArray[np.uint8] | None = None,
        samples: npt.NDArray[np.uint8] | None = None,
        score: str = CLIP_COLUMN,
    ) -> tuple[float, ...]:
        """Keep scores, and pictures beside them. They outlive this process; `settle` lets them outlive a power cut.

        Args:
            key: What they depend on.
            prompts: The chunk; `key` holds its digest.
            scores: One per prompt.
            pictures: Of all prompts, uint8 (n, h, w, 3), or None.
            samples: Of the first prompts, made small, to look at: uint8 (n, h, w, 3), or None.
            score: Name of the score, which names the column.

        Returns:
            The scores that are stored: the first ones written for the key, by whichever process.

        Raises:
            ScoreStoreError: Scores that are not finite, or a disk that does not give back what it took.
            StorageError: The disk refuses.
        """
        assert key.prompts_digest == digest_of_prompts(prompts)
        assert len(scores) == len(prompts)
        columns_of(score)
        if broken := sum(not math.isfinite(number) for number in scores):
            raise ScoreStoreError(
                f"scores must be finite, but {broken} of {len(scores)} of architecture {key.arch_id} are not; "
                "the model overflows: use a wider dtype, or protect the block whose removal does it"
            )
        for kind, kept in ((_PICTURES, pictures), (_SAMPLES, samples)):
            if kept is not None:
                self._check_may_write()
                write_sealed(self._path(key, kind), as_table(kept))
        if (known := self.get(key, score=score)) is None:
            self._check_may_write()
            if not self._is_of_today:
                marking.bring_up_to_date(self._folder)
                self._is_of_today = True
            journal = self._journal(key.weights_digest)
            journal.put(key, prompts=prompts, score=score, numbers=[float(number) for number in scores])
            known = self.get(key, score=score)
            assert known is not None
        return known

    def settle(self) -> None:
        """Bring to the disk what was put; whoever writes down what came of scores does this before.

        Raises:
            StorageError: The disk refuses.
        """
        for journal in self._journals.values():
            journal.settle()

    def frame(
        self,
        *,
        score: str = CLIP_COLUMN,
        weights_digest: str | Collection[str] = "*",
        protocol_digest: str | Collection[str] = "*",
        arch_id: str | Collection[str] = "*",
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The numbers of one score for notebooks, one row per prompt with all that it was scored under.

        Nothing is written, so a folder that may only be read will do. What is left out by the arguments is not read.
        What two kinds of machine made stands twice, and is told apart by `made_by`; `nas.scores.maker.of_one_maker`
        gives what may be paired.

        Args:
            score: Which score; the last column has its name.
            weights_digest: Only those of these weights; "*" = of all.
            protocol_digest: Only those of these protocols.
            arch_id: Only those of these architectures.
            columns: Which columns, in this order; None = all.

        Raises:
            ScoreStoreError: There is no such column.

        Warns:
            ScoreStoreWarning: Something damaged was left out.
        """
        names = chosen_columns(score, columns)
        damaged: list[str] = []
        chunks = chunks_of(
            self._folder,
            score=score,
            journals=self._journal,
            known=self._prompts,
            weights=several(weights_digest),
            arch_ids=several(arch_id),
            protocols=several(protocol_digest),
            on_damaged=damaged.append,
        )
        for what in sorted(set(damaged)):
            warnings.warn(f"{what}: left out", ScoreStoreWarning, stacklevel=2)
        frame: pd.DataFrame = pa.table(
            columns_of_chunks(chunks, score=score, names=names, known=self._prompts)
        ).to_pandas()
        return frame

    def samples(
        self, *, weights_digest: str, protocol_digest: str | Collection[str], arch_id: str, whole: bool = False
    ) -> list[tuple[Prompt, bytes]]:
        """Pictures that were kept of an architecture, each with its prompt, as PNG; damaged files are left out.

        Args:
            weights_digest: Of the weights.
            protocol_digest: Of the protocol, or of several.
            arch_id: Of the architecture.
            whole: Whether all pictures of the first chunk are preferred to the few small ones.
        """
        for kind in _KINDS if whole else _KINDS[::-1]:
            files = stored_files(
                self._folder,
                suffix=f".{kind}.parquet",
                weights=[weights_digest],
                arch_ids=[arch_id],
                protocols=several(protocol_digest),
            )
            for file in files:
                prompts = self._prompts_of(file)
                table = read_sealed(file.path, sets_aside=False)
                if prompts is not None and table is not None:
                    return list(zip(prompts, table["png"].to_pylist(), strict=False))
        return []

    @staticmethod
    def empty_frame(*, score: str = CLIP_COLUMN, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The frame of a store that holds nothing of a score yet.

        Raises:
            ScoreStoreError: There is no such column.
        """
        frame: pd.DataFrame = columns_of(score).empty_table().select(chosen_columns(score, columns)).to_pandas()
        return frame

    def _journal(self, weights_digest: str) -> Journal:
        if weights_digest not in self._journals:
            self._journals[weights_digest] = Journal(self._folder / weights_digest, on_damaged=_tell)
        return self._journals[weights_digest]

    def _former(self, key: ScoreKey) -> pa.Table | None:
        """What 0.1.0 kept under a key."""
        if key.made_by != UNKNOWN_MAKER or not self._holds_former(key.weights_digest):
            return None
        return read_sealed(self._path(key, _SCORES))

    def _holds_former(self, weights_digest: str) -> bool:
        if weights_digest not in self._has_former:
            self._has_former[weights_digest] = bool(stored_files(self._folder, weights=[weights_digest]))
        return self._has_former[weights_digest]

    def _prompts_of(self, file: StoredFile) -> Sequence[Prompt] | None:
        """The prompts of a chunk that a file is about."""
        journal = self._journal(file.weights_digest)
        journal.refresh()
        if (prompts := journal.prompts(file.prompts_digest)) is not None:
            return prompts
        beside = f"{file.arch_id}-{file.protocol_digest}-{file.prompts_digest}{SUFFIX}"
        if (former := read_sealed(file.path.with_name(beside), sets_aside=False)) is None:
            return None
        captions, seeds = (former[name].to_pylist() for name in ("caption", "noise_seed"))
        return [Prompt(caption=caption, noise_seed=seed) for caption, seed in zip(captions, seeds, strict=True)]

    def _path(self, key: ScoreKey, kind: str) -> Path:
        name = f"{key.arch_id}-{key.protocol_digest}-{key.prompts_digest}.{kind}.parquet"
        return self._folder / key.weights_digest / name

    def _check_may_write(self) -> None:
        if self._before_writing is not None:
            self._before_writing()


def _tell(what: str) -> None:
    warnings.warn(f"{what}: left out, and scored again when it is asked for", ScoreStoreWarning, stacklevel=6)
