"""Scores on disk by content: what was scored once is never generated again, neither after a resume nor elsewhere.

The key is what the scores depend on: weights, architecture, protocol (how pictures are made and judged), and the
chunk's prompts in their order. Nothing else counts: a search of the same prompts for another device finds every chunk,
and many searches may use one store at once. The first value written for a key stays.

    store.json <weights>/<architecture>-<protocol>-<prompts>.scores.parquet (and .pictures.parquet, .samples.parquet)

The numbers stand in a column that is named after their score. Each file is sealed and stands whole or not at all; one
that was damaged nevertheless is set aside with a warning and made again.
"""

import io
import json
import math
import reprlib
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from PIL import Image

from nas.scores.prompts import Prompt
from nas.scores.reading import SUFFIX, BulkReader, ChunkPrompts, stored_files
from nas.scores.sealed_table import BrokenSealError, seal, unseal
from search_spaces.files.digests import digest_of
from search_spaces.files.durable.writing import is_part, set_aside, whole_once, write_text
from search_spaces.files.paths import local_path
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.user_error import UserError

SCHEMA_VERSION: Final = 1
_MARKER: Final = "store.json"
_MARK: Final = {"schema_version": SCHEMA_VERSION}
_SCORES, _PICTURES, _SAMPLES = "scores", "pictures", "samples"
CLIP_COLUMN: Final = "clip"  # of the scores of every run that names no other
_KEY_COLUMNS: Final = {
    "weights_digest": pa.string(),
    "arch_id": pa.string(),
    "protocol_digest": pa.string(),
    "prompts_digest": pa.string(),
    "prompt_id": pa.string(),
    "caption": pa.string(),
    "noise_seed": pa.int64(),
}


# Names of columns beside a score's own, here and in the frames of a run (`d_latency_ms` of a score `latency_ms`).
RESERVED: Final = frozenset(_KEY_COLUMNS) | {
    "round", "predicted_latency_ms", "num_prompts", "num_params", "actions", "latency_ms",
}  # fmt: skip


class ScoreStoreError(UserError):
    """A folder that is no store of this schema, or scores that it cannot keep."""


class ScoreStoreWarning(UserWarning):
    """A damaged file of a store was set aside or left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreKey:
    """What the scores of one architecture's chunk depend on."""

    weights_digest: str
    arch_id: str
    protocol_digest: str
    prompts_digest: str


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
        self._prompts: dict[str, ChunkPrompts] = {}  # of chunks that were read
        _check_schema(self._folder)

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
        marker = folder / _MARKER
        if folder.is_dir() and _mark_of(marker) is None and any(folder.iterdir()):
            write_text(marker, json.dumps(_MARK) + "\n")
            warnings.warn(f"{marker} was missing or damaged: made again", ScoreStoreWarning, stacklevel=3)
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
        if not (folder / _MARKER).is_file():
            raise ScoreStoreError(
                f"there is no score store {folder}; a run keeps its scores in its own `scores`, unless `score_store` "
                "named another folder: then give that one"
            )
        return cls(folder)

    def get(self, key: ScoreKey, /, *, score: str = CLIP_COLUMN) -> tuple[float, ...] | None:
        """The numbers of a score under a key, one per prompt; None when there are none yet.

        Raises:
            ScoreStoreError: The file under this key holds another score.

        Warns:
            ScoreStoreWarning: They were damaged and set aside.
        """
        table = self._read(self._path(key, _SCORES))
        if table is None:
            return None
        if score not in table.column_names:
            raise ScoreStoreError(
                f"{self._path(key, _SCORES)} must hold the score {score!r}, but its columns are "
                f"{', '.join(table.column_names)}; two scores never share a protocol's digest: give another store"
            )
        return tuple(table[score].to_pylist())

    def pictures(self, key: ScoreKey, /) -> npt.NDArray[np.uint8] | None:
        """The pictures under a key, uint8 (n, h, w, 3), bit for bit; None when none were kept.

        Warns:
            ScoreStoreWarning: They were damaged and set aside.
        """
        table = self._read(self._path(key, _PICTURES))
        if table is None:
            return None
        return np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in table["png"].to_pylist()])

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
        """Keep scores, and pictures beside them.

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
        schema = _columns(score)
        if broken := sum(not math.isfinite(number) for number in scores):
            raise ScoreStoreError(
                f"scores must be finite, but {broken} of {len(scores)} of architecture {key.arch_id} are not; "
                "the model overflows: use a wider dtype, or protect the block whose removal does it"
            )
        for kind, kept in ((_PICTURES, pictures), (_SAMPLES, samples)):
            if kept is not None:
                self._write(self._path(key, kind), pa.table({"png": [_png(picture) for picture in kept]}))
        if (known := self.get(key, score=score)) is None:
            rows = [
                {
                    **asdict(key),
                    "prompt_id": prompt.prompt_id,
                    "caption": prompt.caption,
                    "noise_seed": prompt.noise_seed,
                    score: number,
                }
                for prompt, number in zip(prompts, scores, strict=True)
            ]
            path = self._path(key, _SCORES)
            self._write(path, pa.Table.from_pylist(rows, schema=schema))
            known = self.get(key, score=score)
            if known is None:
                raise ScoreStoreError(f"{path} must read as it was written, but does not; check the disk")
        return known

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

        Args:
            score: Which score; the last column has its name.
            weights_digest: Only those of these weights; "*" = of all.
            protocol_digest: Only those of these protocols.
            arch_id: Only those of these architectures.
            columns: Which columns, in this order; None = all.

        Raises:
            ScoreStoreError: There is no such column.

        Warns:
            ScoreStoreWarning: A damaged file was left out.
        """
        names = _names(score, columns)
        damaged: list[str] = []
        files = stored_files(
            self._folder,
            weights=_several(weights_digest),
            arch_ids=_several(arch_id),
            protocols=_several(protocol_digest),
        )
        reader = BulkReader(
            score, prompts=self._prompts, on_damaged=lambda path, error: damaged.append(f"{path} is damaged ({error})")
        )
        frame: pd.DataFrame = pa.table(reader.read(files, columns=names)).to_pandas()
        for what in sorted(set(damaged)):
            warnings.warn(f"{what}: left out", ScoreStoreWarning, stacklevel=2)
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
        for kind in (_PICTURES, _SAMPLES) if whole else (_SAMPLES, _PICTURES):
            files = stored_files(
                self._folder,
                suffix=f".{kind}.parquet",
                weights=[weights_digest],
                arch_ids=[arch_id],
                protocols=_several(protocol_digest),
            )
            for file in files:
                scores = file.path.with_name(file.path.name.removesuffix(f".{kind}.parquet") + SUFFIX)
                tables = [self._read(path, sets_aside=False) for path in (scores, file.path)]
                if tables[0] is not None and tables[1] is not None:
                    captions, seeds = (tables[0][name].to_pylist() for name in ("caption", "noise_seed"))
                    prompts = [Prompt(caption=c, noise_seed=s) for c, s in zip(captions, seeds, strict=True)]
                    return list(zip(prompts, tables[1]["png"].to_pylist(), strict=False))
        return []

    @staticmethod
    def empty_frame(*, score: str = CLIP_COLUMN, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The frame of a store that holds nothing of a score yet.

        Raises:
            ScoreStoreError: There is no such column.
        """
        frame: pd.DataFrame = _columns(score).empty_table().select(_names(score, columns)).to_pandas()
        return frame

    def _path(self, key: ScoreKey, kind: str) -> Path:
        name = f"{key.arch_id}-{key.protocol_digest}-{key.prompts_digest}.{kind}.parquet"
        return self._folder / key.weights_digest / name

    def _write(self, path: Path, table: pa.Table) -> None:
        if self._before_writing is not None:
            self._before_writing()
        with whole_once(path) as part:
            part.write_bytes(seal(table, name=_name(path)))

    def _read(self, path: Path, *, sets_aside: bool = True) -> pa.Table | None:
        try:
            return unseal(path.read_bytes(), name=_name(path))
        except FileNotFoundError:
            return None
        except BrokenSealError as error:
            then = (
                f"moved to {set_aside(path).name}, to be made again when it is asked for" if sets_aside else "left out"
            )
            warnings.warn(f"{path} is damaged ({error}): {then}", ScoreStoreWarning, stacklevel=3)
            return None


def name_flaw(score: str, /) -> str:
    """What is wrong with the name of a score, which names a column; "" where nothing is."""
    if score.isidentifier() and score not in RESERVED:
        return ""
    return f"must be an identifier and none of {', '.join(sorted(RESERVED))}, but is {reprlib.repr(score)}"


def _columns(score: str) -> pa.Schema:
    """The columns of a file of some score."""
    if wrong := name_flaw(score):
        raise ScoreStoreError(f"the name of a score {wrong}; rename the score")
    return pa.schema(_KEY_COLUMNS | {score: pa.float64()})


def _names(score: str, columns: Sequence[str] | None) -> list[str]:
    """The columns that are asked for; None = all."""
    known = _columns(score).names
    names = known if columns is None else list(columns)
    if strangers := [name for name in names if name not in known]:
        raise ScoreStoreError(f"scores have the columns {', '.join(known)}, but got {', '.join(strangers)}")
    return names


def _several(wanted: str | Collection[str]) -> Collection[str] | None:
    """Several values of a key; None = all."""
    if isinstance(wanted, str):
        return None if wanted == "*" else {wanted}
    return set(wanted)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _png(picture: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def _check_schema(folder: Path) -> None:
    """Mark an empty folder as a store, or check the mark of one."""
    marker = folder / _MARKER
    strangers = sorted(path.name for path in folder.glob("[!.]*") if not is_part(path) and path != marker)
    if not marker.is_file():  # looked for after the listing: another process makes it before any other file
        if strangers:
            raise ScoreStoreError(
                f"{folder} must be a score store or empty, but holds {strangers[0]!r} and no {_MARKER}; "
                "give another folder, or move what is in it away"
            )
        with whole_once(marker) as part:
            part.write_text(json.dumps(_MARK) + "\n", encoding="utf-8")
    if _mark_of(marker) != _MARK:
        text = marker.read_text(encoding="utf-8", errors="replace")
        raise ScoreStoreError(
            f"a score store must have schema_version {SCHEMA_VERSION}, but {marker} holds {text.strip()[:80]!r}; "
            "give another folder, read this one with the version of snapfusion-nas that wrote it, or, where only this "
            f"file is damaged, write {json.dumps(_MARK)} to it"
        )


def _mark_of(marker: Path) -> dict[str, Any] | None:
    """What a store's mark says; None where there is none, or none that can be read."""
    try:
        mark = parse_json(marker.read_bytes())
    except (FileNotFoundError, NotADirectoryError, JsonError):
        return None
    return mark if isinstance(mark, dict) else None


def digest_of_prompts(prompts: Sequence[Prompt], /) -> str:
    """Short digest of a chunk's prompts: their ids in order."""
    return digest_of({"prompts": [prompt.prompt_id for prompt in prompts]})
