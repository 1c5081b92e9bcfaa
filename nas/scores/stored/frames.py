"""Chunks of scores as columns: what stands in journals and in the files of 0.1.0, below each other in one order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas.scores.stored.former import BulkReader, ChunkPrompts, stored_files
from nas.scores.stored.journal import Journal
from nas.scores.stored.keys import KEY_COLUMNS, PROMPT_COLUMNS, ScoreKey


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Scores of a chunk, and their key."""

    key: ScoreKey
    numbers: "Sequence[float] | npt.NDArray[np.float64]"


def chunks_of(
    folder: Path,
    /,
    *,
    score: str,
    journals: Callable[[str], Journal],
    known: dict[str, ChunkPrompts],
    weights: Collection[str] | None,
    arch_ids: Collection[str] | None,
    protocols: Collection[str] | None,
    on_damaged: Callable[[str], None],
) -> list[Chunk]:
    """All chunks of a score, by weights, architecture, protocol and prompts.

    Args:
        folder: Of the store.
        score: Which score.
        journals: The journal of some weights.
        known: Prompts by chunk, which what is read here adds to.
        weights: Only those of these weights; None = of all.
        arch_ids: Only those of these architectures; None = of all.
        protocols: Only those of these protocols; None = of all.
        on_damaged: Called with what is wrong with what is left out.
    """
    files = stored_files(folder, weights=weights, arch_ids=arch_ids, protocols=protocols)
    reader = BulkReader(score, prompts=known, on_damaged=lambda path, error: on_damaged(f"{path} is damaged ({error})"))
    chunks = [
        Chunk(
            ScoreKey(
                weights_digest=file.weights_digest,
                arch_id=file.arch_id,
                protocol_digest=file.protocol_digest,
                prompts_digest=file.prompts_digest,
            ),
            numbers,
        )
        for file, numbers in reader.read(files)
    ]
    former = {chunk.key for chunk in chunks}
    for digest in sorted(weights if weights is not None else (p.name for p in folder.iterdir() if p.is_dir())):
        journal = journals(digest)
        for key, entry in journal.entries():
            if entry.score != score or key in former:
                continue
            if (arch_ids is None or key.arch_id in arch_ids) and (
                protocols is None or key.protocol_digest in protocols
            ):
                if key.prompts_digest not in known and (prompts := journal.prompts(key.prompts_digest)) is not None:
                    known[key.prompts_digest] = ChunkPrompts.of(prompts)
                if key.prompts_digest in known:
                    chunks.append(Chunk(key, entry.numbers))
                else:
                    on_damaged(f"the prompts {key.prompts_digest} of {journal.path} are damaged")
    return sorted(chunks, key=_order)


def _order(chunk: Chunk) -> tuple[str, ...]:
    key = chunk.key
    return (key.weights_digest, key.arch_id, key.protocol_digest, key.prompts_digest, key.made_by)


def columns_of_chunks(
    chunks: Sequence[Chunk], /, *, score: str, names: Sequence[str], known: Mapping[str, ChunkPrompts]
) -> dict[str, Any]:
    """Columns of all chunks, one below the other."""
    lengths = np.array([len(chunk.numbers) for chunk in chunks], dtype=np.int64)

    def column(name: str) -> Any:
        if name == score:
            return pa.array(
                np.concatenate([np.asarray(chunk.numbers) for chunk in chunks]) if chunks else [], pa.float64()
            )
        if name in KEY_COLUMNS:
            values = [getattr(chunk.key, name) for chunk in chunks]
            return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(chunks)), lengths)))
        kind = PROMPT_COLUMNS[name]
        return pa.chunked_array([known[chunk.key.prompts_digest].columns[name] for chunk in chunks], kind)

    return {name: column(name) for name in names}
