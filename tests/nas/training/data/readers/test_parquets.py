"""Parquet files as the hub has them, and what in them is no captioned picture."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nas.training.data.readers.example import Damaged, Example
from nas.training.data.readers.parquets import ParquetPictures
from search_spaces.files.user_error import UserError
from tests.nas.training.data import sets


def written(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_columns_have_usual_names_or_are_named(tmp_path: Path) -> None:
    odd = written(tmp_path / "0.parquet", {"photo": [sets.png(0)], "alt": [["a ring", "a circle"]], "text": ["no"]})
    reader = ParquetPictures(files=(odd,), picture_column="photo", caption_column="alt")
    assert [each for _, each in reader.read(0)] == [
        Example(name="0.parquet: row 0", captions=("a ring", "a circle"), picture=sets.png(0))
    ]
    with pytest.raises(
        UserError, match=r"must have a column image or picture or .*, but has photo, alt, text; name one"
    ):
        ParquetPictures(files=(odd,))
    other = written(tmp_path / "1.parquet", {"image": ["a.png"], "text": ["a"]})
    with pytest.raises(UserError, match="must hold bytes of pictures, but holds string"):
        ParquetPictures(files=(other,))
    twice = tmp_path / "2.parquet"
    pq.write_table(pa.table([[sets.png(0)], ["a"], ["b"]], names=["image", "text", "text"]), twice)
    with pytest.raises(UserError, match=r"must have one column text, but has 2 of that name; .*data\.caption_column`"):
        ParquetPictures(files=(twice,))


def test_rows_without_a_picture_or_a_caption_cost_themselves_alone(tmp_path: Path) -> None:
    pictures = [sets.png(0), None, b"", sets.png(3), sets.png(4), sets.png(5)]
    rows = written(tmp_path / "0.parquet", {"image": pictures, "caption": ["a", "b", "c", None, "nan", "f"]})
    found = [each for _, each in ParquetPictures(files=(rows,)).read(0)]
    assert [isinstance(each, Damaged) for each in found] == [False, True, True, True, True, False]
    assert "bytes" in getattr(found[1], "reason", "")
    assert "must have a string as `caption`, but got null" in getattr(found[3], "reason", "")


def test_a_damaged_group_of_rows_costs_itself_alone(tmp_path: Path) -> None:
    path = sets.write_parquet(tmp_path / "0.parquet", sets.samples(12), row_group_size=4)
    metadata = pq.read_metadata(path)
    column = metadata.row_group(1).column(0)
    assert column.path_in_schema == "image.bytes"
    data, start = bytearray(path.read_bytes()), column.data_page_offset
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(bytes(data))
    found = [each for _, each in ParquetPictures(files=(path,)).read(0)]
    damaged = [each for each in found if isinstance(each, Damaged)]
    assert [each.name for each in damaged] == ["0.parquet: rows 4 to 7"]
    assert [each.captions[0] for each in found if isinstance(each, Example)] == [
        sets.caption(index) for index in (0, 1, 2, 3, 8, 9, 10, 11)
    ]
