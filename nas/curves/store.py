"""What was computed of chunks of pictures, by content: never drawn again, neither after a kill nor elsewhere.

    <model>/<protocol>-<prompts>.<kind>.parquet

A kind is a score or features of a network, with its digest. Each file is sealed, and whole or not there at all; one
that was damaged is set aside with a warning and made again.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nas.scores.stored.sealed_table import BrokenSealError, seal, unseal
from search_spaces.files.durable.parts import sweep
from search_spaces.files.durable.writing import set_aside, whole_once, write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.files.user_error import UserError

_MARKER: Final = "evaluations.json"
_MARK: Final = {"evaluations": 1}


class EvaluationStoreWarning(UserWarning):
    """A damaged file of a store was set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkKey:
    """What numbers of a chunk depend on.

    Attributes:
        model: Digest of the model's folder; "real" of real pictures.
        protocol: Digest of how pictures are made.
        prompts: Digest of which.
        kind: Of numbers, with the digest of what computes them.
    """

    model: str
    protocol: str
    prompts: str
    kind: str


class EvaluationStore:
    """A folder of such numbers.

    Raises:
        UserError: It holds something else.
    """

    def __init__(self, folder: Path, /) -> None:
        self._folder = folder
        marker = folder / _MARKER
        if marker.is_file():
            if read_json_object(marker) != _MARK:
                raise UserError(f"{marker} must say {json.dumps(_MARK)}, but does not; give another folder")
        elif folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir()):
            raise UserError(f"{folder} must be empty or a store of evaluations, but holds other things; give another")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            write_text(marker, json.dumps(_MARK) + "\n")
        sweep(folder)

    def get(self, key: ChunkKey, /) -> npt.NDArray[np.float32] | None:
        """The numbers under a key, a row per picture; None where there are none yet."""
        path = self._path(key)
        try:
            table = unseal(path.read_bytes(), name=self._name(key))
        except FileNotFoundError:
            return None
        except BrokenSealError as error:
            moved = set_aside(path)
            warnings.warn(f"{path} is damaged ({error}): moved to {moved.name}", EvaluationStoreWarning, stacklevel=2)
            return None
        rows = [np.frombuffer(row, dtype="<f4") for row in table["numbers"].to_pylist()]
        return np.stack(rows).astype(np.float32)

    def put(
        self, key: ChunkKey, numbers: npt.NDArray[np.float32], /, *, rows: Mapping[str, list[Any]]
    ) -> npt.NDArray[np.float32]:
        """Keep numbers; what was kept first under a key stays.

        Args:
            key: What they depend on.
            numbers: A row per picture.
            rows: What the pictures are, for readers: a column each.

        Returns:
            What stands there now.
        """
        table = pa.table({**rows, "numbers": [row.astype("<f4").tobytes() for row in numbers]})
        path = self._path(key)
        with whole_once(path) as part:
            part.write_bytes(seal(table, name=self._name(key)))
        found = self.get(key)
        if found is None:
            raise UserError(f"{path} must read as it was written, but does not; check the disk")
        return found

    def _path(self, key: ChunkKey) -> Path:
        return self._folder / self._name(key)

    @staticmethod
    def _name(key: ChunkKey) -> str:
        return f"{key.model}/{key.protocol}-{key.prompts}.{key.kind}.parquet"
