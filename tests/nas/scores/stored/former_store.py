"""Stores as 0.1.0 wrote them: a sealed file per chunk."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from nas.scores.prompts import Prompt
from nas.scores.stored.keys import CLIP_COLUMN, ScoreKey
from nas.scores.stored.sealed_table import seal


def put_as_0_1_0(
    folder: Path, key: ScoreKey, /, *, prompts: Sequence[Prompt], scores: Sequence[float], score: str = CLIP_COLUMN
) -> Path:
    """Keep the scores of a chunk; the file that holds them."""
    path = folder / key.weights_digest
    path.mkdir(parents=True, exist_ok=True)
    (folder / "store.json").write_text(json.dumps({"schema_version": 1}) + "\n", encoding="utf-8")
    keys = {name: value for name, value in asdict(key).items() if name != "made_by"}
    rows = [
        keys
        | {"prompt_id": prompt.prompt_id, "caption": prompt.caption, "noise_seed": prompt.noise_seed}
        | {score: float(number)}
        for prompt, number in zip(prompts, scores, strict=True)
    ]
    name = f"{key.arch_id}-{key.protocol_digest}-{key.prompts_digest}.scores.parquet"
    (path / name).write_bytes(seal(pa.Table.from_pylist(rows), name=f"{path.name}/{name}"))
    return path / name
