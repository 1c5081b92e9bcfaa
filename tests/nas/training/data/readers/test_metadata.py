"""Which pictures a folder holds: as people write it down, or refused with every problem at once."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from nas.training.data.readers.metadata import CaptionedPicture, read_metadata
from search_spaces.files.user_error import UserError
from tests.nas.synthetic import write_pictures


def read(folder: Path) -> list[CaptionedPicture]:
    return list(read_metadata(folder))


def folder_of(tmp_path: Path, *rows: Any, names: tuple[str, ...] = ("0.png",)) -> Path:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_pictures_come_in_the_order_of_the_metadata(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", num=3)
    pictures = read(tmp_path / "pictures")
    assert [picture.name for picture in pictures] == ["0.png", "1.png", "2.png"]
    assert [picture.line for picture in pictures] == [1, 2, 3]
    assert all(picture.caption for picture in pictures)


@pytest.mark.parametrize("key", ["text", "caption"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_tables_are_read_as_lines_are(tmp_path: Path, key: str, mark: bytes) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    text = f'{key},file_name,id\r\n"a ring, ""red""",0.png,7\r\n\r\n"two\nlines",0.png,8\r\n'
    (tmp_path / "metadata.csv").write_bytes(mark + text.encode())
    pictures = read(tmp_path)
    assert [picture.caption for picture in pictures] == ['a ring, "red"', "two\nlines"]
    assert [picture.line for picture in pictures] == [2, 5]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_are_read_in_any_unicode(tmp_path: Path, encoding: str) -> None:
    folder_of(tmp_path)
    line = '{"file_name": "0.png", "caption": "ein gr\u00fcner Ring\u2028"}'
    (tmp_path / "metadata.jsonl").write_text(f"{line}\r\n{line}", encoding=encoding)
    assert [picture.caption for picture in read(tmp_path)] == ["ein gr\u00fcner Ring\u2028"] * 2


def test_other_encodings_are_named(tmp_path: Path) -> None:
    folder_of(tmp_path)
    (tmp_path / "metadata.jsonl").write_bytes('{"file_name": "0.png", "text": "gr\u00fcn"}'.encode("cp1252"))
    with pytest.raises(UserError, match=r"metadata\.jsonl must be text in UTF-8, .*; save it as UTF-8"):
        read(tmp_path)


def test_every_problem_is_named_at_once_and_the_same_one_once(tmp_path: Path) -> None:
    deep = '{"file_name": "0.png", "text": ' + "[" * 100_000
    rows = ["not json", *[{"file_name": "0.png", "prompt": "a ring"}] * 30, "[]", "", deep, {"text": None}]
    with pytest.raises(UserError, match=r"metadata\.jsonl has 35 problems:\n") as refusal:
        read(folder_of(tmp_path, *rows))
    message = str(refusal.value)
    assert "line 1 must be JSON" in message
    assert "lines 2, 3, 4 and 27 more must have `text` or `caption`, but has file_name, prompt\n" in message
    assert "line 32 must be a JSON object, but is a list\n" in message
    assert "line 34 must be JSON" in message
    assert "line 35 must have `file_name`, but has text\n" in message
    assert "line 35 must have a string as `text`, but got null" in message
    assert len(message) < 2000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "got null"),
        (5, "got 5"),
        (True, "got true"),
        (["a", "b"], "got a list"),
        ({"en": "a"}, "got an object"),
        ("\ud800", "holds half of a UTF-16 pair"),
    ],
)
def test_what_is_no_text_is_no_caption(tmp_path: Path, value: Any, shown: str) -> None:
    with pytest.raises(UserError, match=rf"line 1 must have (a string|text) as `text`, but {shown}"):
        read(folder_of(tmp_path, {"file_name": "0.png", "text": value}))


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("../0.png", "leaves the folder of the metadata"),
        ("a/../0.png", "leaves the folder of the metadata"),
        ("/etc/hostname", "leaves the folder of the metadata"),
        ("..\\0.png", "leaves the folder of the metadata"),
        ("train/1.png", r"names 'train/1.png', which is no file; names are relative to the folder of the metadata"),
        ("a" * 300, "which is no"),
        ("0\u0000.png", "which is no"),
        (".", "which is no file"),
        ("linked/0.png", "'linked' is a link"),
    ],
)
def test_names_lead_to_pictures_in_the_folder(tmp_path: Path, name: str, law: str) -> None:
    folder = folder_of(tmp_path / "set", {"file_name": name, "text": "a"}, names=("0.png", "a/1.png"))
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(UserError, match=law):
        read(folder)


def test_pictures_of_subfolders_are_pictures_of_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"file_name": "train/0.png", "text": "a"}, names=("train/0.png",))
    assert read(folder)[0].name == "train/0.png"


@pytest.mark.parametrize(
    ("table", "law"),
    [
        ("file_name,text\n0.png\n", "line 2 must have 2 cells as the header, but has 1"),
        ("file_name;text\n0.png;a\n", "must have `file_name`, but has file_name;text"),
        ("file_name,text,text\n0.png,a,b\n", "must name every column once"),
        ('file_name,text\n0.png,"a\n', "must be a row of ','-separated cells"),
        ("file_name,text\n", "names no picture"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, table: str, law: str) -> None:
    (tmp_path / "metadata.csv").write_text(table, encoding="utf-8")
    with pytest.raises(UserError, match=law):
        read(tmp_path)


def test_a_folder_has_one_metadata(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"there is no .*metadata\.jsonl; write one line.* {tmp_path}` draws pictures"):
        read(tmp_path)
    (tmp_path / "notes").touch()
    with pytest.raises(UserError, match=f"{tmp_path}/pictures` draws"):  # what stands there is left alone
        read(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(UserError, match="names no picture"):
        read(tmp_path)
    (tmp_path / "metadata.csv").write_text("\n", encoding="utf-8")
    with pytest.raises(UserError, match="holds both; move one away"):
        read(tmp_path)
