"""Captions as people have them: every format that is read, every other one refused with how to mend it."""

# fast: of the bundled model it reads the captions alone
import json
from pathlib import Path
from typing import Any

import pytest

from nas.scores.captions import CaptionWarning, read_captions
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR

TWO = ["a red ring", 'a "blue", b\u00fcrgerlich cross']
COCO = {
    "images": [{"id": 1, "file_name": "1.jpg"}],
    "annotations": [{"image_id": 1, "id": 1, "caption": TWO[0]}, {"image_id": 1, "id": 2, "caption": TWO[1] + "\n"}],
}
TABLE = 'image,{key}\n0.jpg,a red ring\n1.jpg,"a ""blue"", b\u00fcrgerlich cross"\n'
FORMATS: dict[str, str] = {
    "a.txt": "\n".join(TWO),
    "captions": "\r\n".join(TWO),
    "a.csv": TABLE.format(key="caption"),
    "b.CSV": TABLE.format(key="text"),
    "a.tsv": TABLE.format(key="caption").replace(",", "\t", 1).replace("jpg,", "jpg\t"),
    "a.jsonl": "\n".join(json.dumps({"image": 1, "caption": caption}) for caption in TWO),
    "b.jsonl": "\n".join(json.dumps({"text": caption}, ensure_ascii=False) for caption in TWO),
    "coco.json": json.dumps(COCO, indent=2),
    "list.json": json.dumps(TWO),
    "rows.json": json.dumps([{"caption": caption} for caption in TWO]),
    "clipscore.json": json.dumps(dict(enumerate(TWO))),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_its_captions(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / name).write_bytes(FORMATS[name].encode(encoding))
    assert read_captions(tmp_path / name) == TWO
    assert read_captions(tmp_path / name, num=1) == TWO[:1]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "list.json"])
def test_other_encodings_are_refused_with_file_and_remedy(tmp_path: Path, name: str, encoding: str) -> None:
    text = FORMATS[name].replace("\\u00fc", "\u00fc")
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=rf"{name} must be .*") as refusal:
        read_captions(tmp_path / name)
    assert encoding != "cp1252" or "save it as UTF-8" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("coco.json", ".json"),
        ("list.json", ".json"),
        ("rows.json", ".json"),
        ("a.jsonl", ".jsonl"),
        ("a.csv", ".csv"),
        ("a.tsv", ".tsv"),
    ],
)
def test_another_format_in_a_text_file_is_not_read_as_captions(tmp_path: Path, name: str, suffix: str) -> None:
    (tmp_path / "mine.txt").write_text(FORMATS[name], encoding="utf-8")
    with pytest.raises(UserError, match=rf"mine\.txt must hold a caption a line, .*; rename it to mine\{suffix}"):
        read_captions(tmp_path / "mine.txt")


def test_punctuation_makes_no_table_and_no_json(tmp_path: Path) -> None:
    captions = ["a title, in red", "[two] rings", "{a} ring", "image, text and all", "a\u2028ring", "ring \x0c cross"]
    (tmp_path / "a.txt").write_text("\n".join(captions), encoding="utf-8")
    assert read_captions(tmp_path / "a.txt") == captions


def test_blank_lines_and_comments_are_no_captions(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("# held-out captions\n##\n\n  a red ring \na cross # not a comment\n", encoding="utf-8")
    assert read_captions(path) == ["a red ring", "a cross # not a comment"]


def test_hashtags_are_said_to_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("#sunset over the sea\na ring\n#nofilter\n# a comment\n", encoding="utf-8")
    law = r"captions\.txt: lines that begin with # are comments, and 2 of them may be captions, first line 1 \('#sunset"
    with pytest.warns(CaptionWarning, match=law):
        assert read_captions(path) == ["a ring"]


@pytest.mark.parametrize(
    ("name", "text", "laws"),
    [
        (
            "a.jsonl",
            '{"caption": 5}\n{"caption": ["a"]}\n{"x": 1}\n{"caption": " "}',
            ["line 1 must", "line 2", "line 3"],
        ),
        ("a.json", '["a", 5, null, {"caption": {}}]', [r"3 problems", r"\[1\] must have a string", r"\[2\]", r"\[3\]"]),
        ("a.json", '{"annotations": [{"id": 3}]}', [r"annotations\[0\] must have `caption` or `text`, but has id"]),
        ("a.json", '{"images": [], "info": {}}', ["must hold a list of captions"]),
        ("a.json", "{}", ["must hold a list of captions"]),
        ("a.json", "[]", ["holds no caption"]),
        ("a.json", "[" * 100_000, ["must be JSON"]),
        (
            "a.csv",
            "image,label\n0.jpg,x\n1.jpg,y\n",
            ["lines 2, 3 must have `caption` or `text`, but has image, label"],
        ),
        ("a.csv", "caption\n", ["holds no caption"]),
    ],
)
def test_every_wrong_entry_is_named_at_once(tmp_path: Path, name: str, text: str, laws: list[str]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    for law in laws:
        with pytest.raises(UserError, match=law):
            read_captions(tmp_path / name)


@pytest.mark.parametrize("content", ["", "\n \n", "# only a comment\n"])
def test_a_file_without_captions_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "captions.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"captions\.txt holds no caption; write one caption a line into it"):
        read_captions(path)


def test_too_few_captions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.txt"
    path.write_text("a ring\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"`num_prompts` is 3, but .*captions\.txt holds 1 captions; add captions"):
        read_captions(path, num=3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no caption file .*nowhere\.txt"):
        read_captions(tmp_path / "nowhere.txt")


def test_the_bundled_captions_are_read_as_ever() -> None:
    path: Any = PIPELINE_DIR.parent / "validation_captions.txt"
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    assert read_captions(path) == [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("1_a.jpg#0\tA child climbs\n1_a.jpg#1\tA girl\n", r"2 of its 2 lines .* save it as mine\.tsv with a header"),
        ("a ring\thttp://x\n", r"save it as mine\.tsv with a header"),
        ("0.png,a ring\n1.png,a cross\n", r"names of pictures; save it as mine\.tsv"),
        ('"a cat, sitting"\n"b dog"\n', "texts in quotes; leave the quotes out"),
        ("'a cat'\n'a dog'\n", "texts in quotes; leave the quotes out"),
        ("- a cat\n- a dog\n", "lists, with marks or numbers before the text; leave them out"),
        ("* a cat\n* a dog\n", "lists, with marks"),
        ("# mine\nmodel: shapes\nclip:\n  model: shapes\n  - none\n", "3 of its 4 lines look like those of settings"),
        ("1. a cat\n2. a dog\n", "lists, with marks"),
    ],
)
def test_lines_that_all_look_like_another_format_are_refused(tmp_path: Path, text: str, law: str) -> None:
    (tmp_path / "mine.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=law):
        read_captions(tmp_path / "mine.txt")


@pytest.mark.parametrize(
    "captions",
    [
        ['"a cat"'],
        ["- a cat"],
        ['"a cat"', "a dog", "a ring"],
        ["a ring\tof gold", "a cross", "a star"],
        ["2 cats", "3 dogs", "4.5 rings"],
        ["a file named cat.jpg", "a dog.png, drawn"],
    ],
    ids=repr,
)
def test_one_odd_line_makes_no_other_format(tmp_path: Path, captions: list[str]) -> None:
    (tmp_path / "a.txt").write_text("\n".join(captions), encoding="utf-8")
    assert read_captions(tmp_path / "a.txt") == captions


def test_an_object_of_texts_names_pictures_or_ids(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for keys in (("0.png", "dir/my cat.JPG"), ("391895", "COCO_val_22"), ("image1", "image2")):
        path.write_text(json.dumps(dict(zip(keys, TWO, strict=True))), encoding="utf-8")
        assert read_captions(path) == TWO
    for keys in (("info", "license"), ("caption", "text"), ("0.png", "info")):
        path.write_text(json.dumps(dict(zip(keys, TWO, strict=True))), encoding="utf-8")
        with pytest.raises(UserError, match=r"a\.json must name pictures by their files or ids, .* but has '\w+'"):
            read_captions(path)


def test_a_blank_after_a_comma_is_no_part_of_a_cell(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id, caption\n1, "a cat, sitting"\n2, a dog\n', encoding="utf-8")
    assert read_captions(tmp_path / "a.csv") == ["a cat, sitting", "a dog"]


@pytest.mark.parametrize("cell", ["nan", "NaN", "None", "<NA>"])
def test_what_programs_write_into_an_empty_cell_is_no_caption(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.csv").write_text(f"caption\na cat\n{cell}\n", encoding="utf-8")
    with pytest.raises(UserError, match=f"line 3 must have text as `caption`, but has {cell}, as programs write an"):
        read_captions(tmp_path / "a.csv")


def test_a_table_of_one_line_is_told_of_its_header(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a photo of a cat\thttp://x\n", encoding="utf-8")
    with pytest.raises(UserError, match="first line names the columns, and one of them `caption` or `text`"):
        read_captions(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ",".join(["caption"] * 100_000) + "\n"),
        ("b.csv", "x" * 100_000 + "\na\n"),
        ("a.json", json.dumps({"x" * 100_000: "a"})),
        ("b.json", json.dumps({f"0{'x' * 100_000}": "", "1.png": "a"})),
        ("c.json", "{" + ",".join(f'"{i}": "a", "{i}": "b"' for i in range(10_000)) + "}"),
        ("a.txt", f"{'x' * 100_000}\ta\n"),
    ],
)
def test_messages_are_short_whatever_the_file_holds(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as refusal:
        read_captions(tmp_path / name)
    assert len(str(refusal.value).replace(str(tmp_path), "")) < 600
