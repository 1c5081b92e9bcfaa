"""Files of scores as 0.1.0 wrote them, a chunk each, read at once for frames: every one is checked against its seal.

What a file is about stands in its name, and the prompts of a chunk are the same in each file of it. So the key columns
are read once per chunk; of every other file the scores alone are read, and its seal is worked out from them and from
what is known by then. A file that does not agree is read as a whole, which says what is wrong with it.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nas.scores.prompts import Prompt
from nas.scores.stored.keys import PROMPT_COLUMNS
from nas.scores.stored.sealed_table import SEAL, BrokenSealError, column_text, digest_of_columns, unseal

SUFFIX: Final = ".scores.parquet"
_KEYS: Final = ("weights_digest", "arch_id", "protocol_digest", "prompts_digest")
_THREADS: Final = 4
_FEW: Final = 64  # files that are not worth a thread


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of scores and what it is about, by its name."""

    path: Path
    weights_digest: str
    arch_id: str
    protocol_digest: str
    prompts_digest: str

    @property
    def name(self) -> str:
        """What it is sealed as."""
        return f"{self.weights_digest}/{self.path.name}"


def stored_files(
    folder: Path,
    /,
    *,
    suffix: str = SUFFIX,
    weights: Collection[str] | None = None,
    arch_ids: Collection[str] | None = None,
    protocols: Collection[str] | None = None,
) -> list[StoredFile]:
    """The files of a store in the order of their names; nothing is opened.

    Args:
        folder: The store's.
        suffix: Of the kind of file.
        weights: Only those of these weights' digests; None = all.
        arch_ids: Only those of these architectures.
        protocols: Only those of these protocols' digests.
    """
    wanted = sorted(weights) if weights is not None else sorted(p.name for p in folder.iterdir() if p.is_dir())
    return [
        StoredFile(folder / digest / name, digest, arch_id, protocol, prompts)
        for digest in wanted
        for name, arch_id, protocol, prompts in _named(folder / digest, suffix)
        if (arch_ids is None or arch_id in arch_ids) and (protocols is None or protocol in protocols)
    ]


def _named(folder: Path, suffix: str) -> Iterator[tuple[str, str, str, str]]:
    """Names of files with what they say: architecture, protocol, prompts."""
    if folder.is_dir():
        with os.scandir(folder) as entries:  # a path for each of 100,000 files would take seconds
            names = sorted(entry.name for entry in entries if entry.name.endswith(suffix) and entry.name[0] != ".")
        for name in names:
            arch_id, _, rest = name.removesuffix(suffix).partition("-")
            protocol, _, prompts = rest.partition("-")
            yield name, arch_id, protocol, prompts


@dataclass(frozen=True, slots=True, eq=False)
class ChunkPrompts:
    """The prompts of a chunk: their columns, and the same as the seal has them."""

    columns: Mapping[str, pa.Array]
    texts: Mapping[str, str]
    num: int

    @classmethod
    def of(cls, prompts: Sequence[Prompt], /) -> Self:
        """The prompts as columns."""
        values = {name: [getattr(prompt, name) for prompt in prompts] for name in PROMPT_COLUMNS}
        columns = {name: pa.array(values[name], kind) for name, kind in PROMPT_COLUMNS.items()}
        return cls(columns, {name: column_text(each) for name, each in values.items()}, len(prompts))


class BulkReader:
    """Reads files of one score; what it learns of a chunk's prompts serves all files of the chunk.

    Args:
        score: Name of the score.
        on_damaged: Called with the path of a file that is left out and what is wrong with it.
        prompts: What other readers of the same store have learned, by chunk; what this one learns is added.
    """

    def __init__(
        self,
        score: str,
        /,
        *,
        on_damaged: Callable[[Path, BrokenSealError], None],
        prompts: "dict[str, ChunkPrompts] | None" = None,
    ) -> None:
        self._score, self._on_damaged = score, on_damaged
        self._prompts: dict[str, ChunkPrompts] = {} if prompts is None else prompts

    def read(self, files: Sequence[StoredFile], /) -> list[tuple[StoredFile, npt.NDArray[np.float64]]]:
        """The scores of files, in their order; files without the score, and damaged ones, are left out."""
        for file in {file.prompts_digest: file for file in reversed(files)}.values():
            if file.prompts_digest not in self._prompts:
                self._whole(file)
        if len(files) <= _FEW:
            found = [self._scores(file) for file in files]
        else:
            with ThreadPoolExecutor(_THREADS) as threads:
                found = list(threads.map(self._scores, files, chunksize=32))
        return [(file, scores.to_numpy()) for file, scores in zip(files, found, strict=True) if scores is not None]

    def _whole(self, file: StoredFile) -> pa.Table | None:
        """A file, checked, whose prompts are known from now on; None without the score, or where it is damaged."""
        try:
            table = unseal(file.path.read_bytes(), name=file.name)
        except FileNotFoundError:
            return None
        except BrokenSealError as error:
            self._on_damaged(file.path, error)
            return None
        self._prompts[file.prompts_digest] = ChunkPrompts(
            {name: table[name].combine_chunks() for name in PROMPT_COLUMNS},
            {name: column_text(table[name].to_pylist()) for name in PROMPT_COLUMNS},
            table.num_rows,
        )
        return table if self._score in table.column_names else None

    def _scores(self, file: StoredFile) -> pa.ChunkedArray | None:
        """The scores of a file, checked."""
        known = self._prompts.get(file.prompts_digest)
        if known is not None:
            try:
                with pq.ParquetFile(pa.BufferReader(file.path.read_bytes())) as parquet:
                    seal = (parquet.schema_arrow.metadata or {}).get(SEAL)
                    scores = parquet.read(columns=[self._score], use_threads=False)[self._score]
                if seal == self._digest(file, known, scores):
                    return scores
            except Exception:  # noqa: S110  whatever is wrong is said by reading it as a whole
                pass
        table = self._whole(file)
        return None if table is None else table[self._score]

    def _digest(self, file: StoredFile, known: ChunkPrompts, scores: pa.ChunkedArray) -> bytes:
        keys = {name: column_text([getattr(file, name)] * known.num) for name in _KEYS}
        return digest_of_columns(file.name, keys | dict(known.texts) | {self._score: column_text(scores.to_pylist())})
