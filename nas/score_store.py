"""Scores on disk by content: what was scored once is never generated again, neither after a resume nor elsewhere.

The key is what the scores depend on: weights, architecture, protocol (sampling, models, threads), prompts. Each part
is one small parquet file written by rename, so that a kill leaves whole parts only.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas.evaluation.validation_set import Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreKey:
    """What the scores of one architecture's chunk depend on."""

    weights_digest: str
    arch_id: str
    protocol_digest: str
    chunk: int


class ScoreStore:
    """A folder of score parts."""

    def __init__(self, folder: Path, /) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: ScoreKey, /, *, prompts: Sequence[Prompt]) -> tuple[float, ...] | None:
        """The scores of exactly these prompts under a key; None when there are none yet."""
        path = self._path(key)
        if not path.is_file():
            return None
        frame = pd.read_parquet(path)
        if list(frame["prompt_id"]) != [prompt.prompt_id for prompt in prompts]:
            return None
        return tuple(frame["clip"].tolist())

    def put(self, key: ScoreKey, /, *, prompts: Sequence[Prompt], scores: Sequence[float]) -> None:
        """Keep scores; the first value written for a key stays."""
        path = self._path(key)
        if path.exists():
            return
        frame = pd.DataFrame(
            {
                "weights_digest": key.weights_digest,
                "arch_id": key.arch_id,
                "protocol_digest": key.protocol_digest,
                "chunk": key.chunk,
                "prompt_id": [prompt.prompt_id for prompt in prompts],
                "caption": [prompt.caption for prompt in prompts],
                "clip": list(scores),
            }
        )
        part = path.with_suffix(f".{os.getpid()}.part")
        frame.to_parquet(part, index=False)
        os.replace(part, path)

    def frame(self) -> pd.DataFrame:
        """All scores, one row per prompt, for notebooks."""
        parts = [pd.read_parquet(path) for path in sorted(self._folder.glob("*.parquet"))]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _path(self, key: ScoreKey) -> Path:
        name = f"{key.weights_digest}-{key.arch_id}-{key.protocol_digest}-{key.chunk:04d}.parquet"
        return self._folder / name


def digest_of(values: Mapping[str, Any], /) -> str:
    """Short digest of plain values by their canonical JSON."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
