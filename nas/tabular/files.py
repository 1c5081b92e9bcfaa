"""Tabular benchmarks on disk: one parquet file, versioned and sealed; docs/tabular.md says what each column holds."""

import json
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nas.scores.stored.sealed_table import column_text, digest_of_columns
from nas.tabular.benchmark import Benchmark, BenchmarkError
from search_spaces.files.durable.writing import whole
from search_spaces.files.paths import local_path, no_such_file
from search_spaces.files.strict_json import JsonError, parse_json

SCHEMA_VERSION: Final = 1
MAX_ROWS: Final = 2**20
_KEY, _SEAL = b"tabular_benchmark", b"seal"
_COLUMNS: Final = ("masks", "latency_ms", "num_params", "num_macs", "scores")
_SCHEMA: Final = pa.schema(
    {
        "masks": pa.int64(),
        "latency_ms": pa.float64(),
        "num_params": pa.int64(),
        "num_macs": pa.int64(),
        "scores": pa.list_(pa.field("element", pa.float32())),  # parquet's own name of it
    }
)
_FOLDER: Final = Path(__file__).parent


def shipped_benchmarks() -> list[str]:
    """The names of the benchmarks that are shipped."""
    return sorted(path.stem for path in _FOLDER.glob("*.parquet"))


def find_benchmark(reference: str | PathLike[str], /) -> Path:
    """The file of a benchmark: a path, or the name of a shipped one.

    Raises:
        BenchmarkError: Neither; the message lists the names.
    """
    path = local_path(reference)
    if path.is_file():
        return path
    if str(reference) in shipped_benchmarks():
        return _FOLDER / f"{reference}.parquet"
    raise BenchmarkError(
        no_such_file(
            path,
            what="tabular benchmark",
            remedy="give a file, or the name of a shipped one: "
            f"{', '.join(shipped_benchmarks()) or 'there is none here'}; docs/tabular.md says how one is made",
        )
    )


def write_benchmark(benchmark: Benchmark, path: Path, /) -> None:
    """Write a benchmark; scores are kept as float32.

    Raises:
        StorageError: The disk refuses.
    """
    about = {
        each.name: getattr(benchmark, each.name) for each in fields(benchmark) if each.name not in _COLUMNS
    } | {"schema_version": SCHEMA_VERSION}  # fmt: skip
    columns = {name: getattr(benchmark, name) for name in _COLUMNS}
    columns["scores"] = [row.astype(np.float32) for row in benchmark.scores]
    table = pa.table({name: pa.array(columns[name], type=_SCHEMA.field(name).type) for name in _COLUMNS})
    text = json.dumps(about, sort_keys=True)
    metadata = {_KEY: text.encode(), _SEAL: _digest(text, table)}
    with whole(path) as part:
        table = table.replace_schema_metadata(None)
        compressed: Any = {"compression": "zstd", "compression_level": 19}
        with pq.ParquetWriter(part, table.schema, store_schema=False, **compressed) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata(metadata)


def read_benchmark(reference: str | PathLike[str], /) -> Benchmark:
    """Read a benchmark.

    Args:
        reference: A file, or the name of a shipped one.

    Raises:
        BenchmarkError: There is none, it is of another schema, damaged, or breaks its laws.
    """
    path = find_benchmark(reference)
    try:
        num_rows, wanted = pq.read_metadata(path).num_rows, pq.read_schema(path).names
        if num_rows > MAX_ROWS or set(wanted) != set(_COLUMNS):  # before memory is taken for them
            raise BenchmarkError(
                f"{path} must have the columns {', '.join(_COLUMNS)} and at most {MAX_ROWS:,} rows, but has "
                f"{', '.join(wanted[:20])} and {num_rows:,}"
            )
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} must be a parquet file, but cannot be read: {error}") from error
    metadata = table.schema.metadata or {}
    try:
        text = metadata[_KEY].decode()
        about: dict[str, Any] = parse_json(text)
        version = about.pop("schema_version")
    except (KeyError, UnicodeDecodeError, JsonError, AttributeError, TypeError) as error:
        raise BenchmarkError(f"{path} must be a tabular benchmark, but says nothing of itself: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise BenchmarkError(f"{path} must have `schema_version` {SCHEMA_VERSION}, but has {version!r}")
    if not table.schema.remove_metadata().equals(_SCHEMA):
        raise BenchmarkError(f"{path} must have the columns {', '.join(_COLUMNS)}, but has {table.column_names}")
    if metadata.get(_SEAL) != _digest(text, table):
        raise BenchmarkError(f"{path} is not what was written; take another copy of it")
    try:
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in about.items()}
        given |= {name: table[name].to_numpy() for name in _COLUMNS[:-1]}
        given["scores"] = tuple(np.asarray(row, dtype=np.float64) for row in table["scores"].to_pylist())
        return Benchmark(**given)
    except TypeError as error:
        raise BenchmarkError(f"{path} must say all that a tabular benchmark says of itself: {error}") from error
    except BenchmarkError as error:
        raise BenchmarkError(f"{path}: {error}") from error


def _digest(text: str, table: pa.Table) -> bytes:
    return digest_of_columns(text, {name: column_text(table[name].to_pylist()) for name in table.column_names})
