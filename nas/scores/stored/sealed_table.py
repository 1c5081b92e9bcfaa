"""Sealed tables: parquet bytes that carry a digest of their own values, so that damage is always noticed.

Parquet's own checksums cover the pages of data, not their headers nor the footer that says where pages are; the seal
covers every value that is read, and the name it was written under.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from search_spaces.files.user_error import UserError

SEAL: Final = b"seal"  # key in the metadata of the file


class BrokenSealError(UserError):
    """Bytes that are not what was sealed."""


def seal(table: pa.Table, /, *, name: str) -> bytes:
    """A table as parquet, which any reader of parquet reads.

    Args:
        table: Columns of numbers, texts or bytes.
        name: What it is sealed as; a table under another name is broken.
    """
    sink = pa.BufferOutputStream()
    # A chunk is a few rows: statistics, dictionaries and Arrow's own copy of the schema would be most of its file.
    small = {"compression": "zstd", "use_dictionary": False, "write_statistics": False, "store_schema": False}
    with pq.ParquetWriter(sink, table.schema.remove_metadata(), **small) as writer:
        writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata({SEAL: _digest(table, name)})
    return bytes(sink.getvalue())


def unseal(data: bytes, /, *, name: str) -> pa.Table:
    """The table of sealed bytes, every value as it was.

    Raises:
        BrokenSealError: These bytes were not sealed under this name.
    """
    try:
        table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
        sound = (table.schema.metadata or {}).get(SEAL) == _digest(table, name)
    except Exception as error:  # nothing but these bytes is read, so whatever fails is their fault
        raise BrokenSealError(f"not a table: {error}") from error
    if not sound:
        raise BrokenSealError("not what was written")
    return table


def _digest(table: pa.Table, name: str) -> bytes:
    return digest_of_columns(name, {column: column_text(values) for column, values in table.to_pydict().items()})


def column_text(values: Sequence[Any], /) -> str:
    """A column as the seal covers it."""
    return json.dumps(values, default=bytes.hex)


def digest_of_columns(name: str, columns: Mapping[str, str], /) -> bytes:
    """The seal of a table: a digest of its name and of its columns' texts, which together are one JSON document."""
    texts = ", ".join(f"{json.dumps(column)}: {text}" for column, text in columns.items())
    return hashlib.sha256(f"[{json.dumps(name)}, {{{texts}}}]".encode()).hexdigest().encode()
