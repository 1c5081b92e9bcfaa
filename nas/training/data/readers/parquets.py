"""Parquet files with a column of pictures' bytes and one of captions, as the Hugging Face hub has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nas.training.data.readers.example import Damaged, Example, Read
from search_spaces.files.digests import files_sequence_digest
from search_spaces.files.rows import text_in
from search_spaces.files.strict_text import listed
from search_spaces.files.user_error import UserError

PICTURES: Final = ("image", "picture", "img", "jpg", "png")
CAPTIONS: Final = ("text", "caption", "captions")
_ROWS: Final = 64  # that are held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetPictures:
    """Parquet files of captioned pictures.

    Attributes:
        files: The files, each a part.
        picture_column: Of bytes, or of structs with `bytes` as the hub's; None = the first of some usual names.
        caption_column: Of texts, or of lists of texts; None = the first of some usual names.

    Raises:
        UserError: A file is no parquet, lacks a column, or has two of its name.
    """

    files: tuple[Path, ...]
    picture_column: str | None = None
    caption_column: str | None = None

    def __post_init__(self) -> None:
        for path in self.files:
            try:
                schema = pq.read_schema(path)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise UserError(f"{path} must be a whole parquet file, but is not ({error}); make it anew") from error
            self._columns(path, schema)

    @property
    def num_parts(self) -> int:
        """As many as files."""
        return len(self.files)

    @property
    def num_pictures(self) -> int:
        """Rows, as the files say."""
        return sum(pq.read_metadata(path).num_rows for path in self.files)

    @property
    def digest(self) -> str:
        """Of the files' content, in their order, and of what is read of them."""
        return files_sequence_digest(self.files, settings=[self.picture_column, self.caption_column])

    def read(self, part: int, /, *, start: int = 0) -> Iterator[Read]:
        """The rows of a file from one on; what is damaged costs its row group."""
        path, row = self.files[part], 0
        with pq.ParquetFile(path) as file:
            columns = self._columns(path, file.schema_arrow)
            for group in range(file.num_row_groups):
                end = row + file.metadata.row_group(group).num_rows
                if end > start:
                    yield from _rows(path, file, group, columns, first=row, start=max(start, row), end=end)
                row = end

    def _columns(self, path: Path, schema: pa.Schema) -> tuple[str, str]:
        picture = _column(path, schema, self.picture_column, PICTURES, "picture_column")
        caption = _column(path, schema, self.caption_column, CAPTIONS, "caption_column")
        kind = schema.field(picture).type
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind = kind.field("bytes").type
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise UserError(f"the column {picture} of {path} must hold bytes of pictures, but holds {kind}")
        return picture, caption


def _rows(
    path: Path, file: pq.ParquetFile, group: int, columns: tuple[str, str], *, first: int, start: int, end: int
) -> Iterator[Read]:
    row = first
    try:
        for batch in file.iter_batches(_ROWS, row_groups=[group], columns=list(columns)):
            for index in range(max(0, start - row), len(batch)):
                values = (batch.column(name)[index].as_py() for name in columns)
                yield row + index + 1, _example(f"{path.name}: row {row + index}", *values)
            row += len(batch)
    except (pa.ArrowException, OSError) as error:
        told = " ".join(str(error).split())[:160]
        yield (
            end,
            Damaged(name=f"{path.name}: rows {max(row, start)} to {end - 1}", reason=f"must be whole, but {told}"),
        )


def _example(name: str, picture: Any, caption: Any) -> Example | Damaged:
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    if not data:
        return Damaged(name=name, reason="must hold a picture's bytes, but holds none; pictures elsewhere are not read")
    texts = caption if isinstance(caption, list) else [caption]
    try:
        if not texts:
            raise UserError("must have a caption, but has none")
        captions = tuple(text_in({"caption": text}, keys=("caption",)).strip() for text in texts)
    except UserError as error:
        return Damaged(name=name, reason=str(error))
    return Example(name=name, captions=captions, picture=data)


def _column(path: Path, schema: pa.Schema, wanted: str | None, usual: tuple[str, ...], setting: str) -> str:
    names = (wanted,) if wanted is not None else usual
    found = next((name for name in names if name in schema.names), None)
    if found is None:
        raise UserError(
            f"{path} must have a column {' or '.join(names)}, but has {listed(schema.names)}; name one by "
            f"`robust_training.data.{setting}`"
        )
    if (num := schema.names.count(found)) > 1:
        raise UserError(
            f"{path} must have one column {found}, but has {num} of that name; rename the others, or name another "
            f"column by `robust_training.data.{setting}`"
        )
    return found
