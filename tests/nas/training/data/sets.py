"""The same small captioned pictures in every format that is read."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

JUNK = b"no picture at all"


def png(index: int, *, side: int = 8) -> bytes:
    """A picture of its own, which can be told from the others."""
    pixels = np.random.default_rng(index).integers(0, 256, size=(side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def caption(index: int) -> str:
    return f"picture {index % 5} of some"


def samples(num: int, *, damaged: Sequence[int] = ()) -> list[tuple[str, bytes, str]]:
    """Names, bytes and captions."""
    return [(f"{i:04d}", JUNK if i in damaged else png(i), caption(i)) for i in range(num)]


def write_folder(folder: Path, rows: Sequence[tuple[str, bytes, str]]) -> Path:
    folder.mkdir(parents=True)
    for name, data, _ in rows:
        (folder / f"{name}.png").write_bytes(data)
    lines = [json.dumps({"file_name": f"{name}.png", "text": text}) for name, _, text in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_coco(folder: Path, rows: Sequence[tuple[str, bytes, str]], *, more: Mapping[str, Any] | None = None) -> Path:
    """As COCO lays it out; every picture has two captions."""
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for name, data, _ in rows:
        (folder / "val2017" / f"{name}.png").write_bytes(data)
    document = {
        "info": {"year": 2017},
        "images": [{"id": index, "file_name": f"{name}.png"} for index, (name, _, _) in enumerate(rows)],
        "annotations": [
            {"id": 10 * index + which, "image_id": index, "caption": f"{text}{' too' * which}"}
            for which in range(2)
            for index, (_, _, text) in enumerate(rows)
        ],
    }
    path = folder / "annotations" / "captions_val2017.json"
    path.write_text(json.dumps(document | dict(more or {})), encoding="utf-8")
    return path


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def members(rows: Sequence[tuple[str, bytes, str]]) -> list[tuple[str, bytes]]:
    return [each for name, data, text in rows for each in ((f"{name}.png", data), (f"{name}.txt", text.encode()))]


def write_parquet(path: Path, rows: Sequence[tuple[str, bytes, str]], *, row_group_size: int = 4) -> Path:
    """As the Hugging Face hub has pictures."""
    table = pa.table(
        {"image": [{"bytes": data, "path": f"{name}.png"} for name, data, _ in rows], "text": [row[2] for row in rows]}
    )
    pq.write_table(table, path, row_group_size=row_group_size)
    return path
