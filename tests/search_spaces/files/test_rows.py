"""Rows of other people's files: each with its line, and all that is wrong told at once, briefly."""

from pathlib import Path

import pytest

from search_spaces.files.rows import Problems, RowsError, read_rows, text_in
from search_spaces.files.user_error import UserError

ROWS = [(2, {"id": "1", "text": "a ring"}), (3, {"id": "2", "text": "größe"})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_are_read_with_their_lines_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_text("id,text\n1,a ring\n2,größe\n", encoding=encoding)
    (tmp_path / "a.jsonl").write_text('\n{"id": "1", "text": "a ring"}\n{"id": "2", "text": "größe"}\n', encoding)
    for name in ("a.csv", "a.jsonl"):
        problems = Problems(tmp_path / name)
        assert list(read_rows(tmp_path / name, problems=problems)) == ROWS
        problems.check()


def test_what_is_wrong_is_told_by_kind_with_its_first_lines() -> None:
    problems = Problems(Path("a.jsonl"))
    for line in range(1, 6):
        problems.add(line, "must be a row")
    problems.add(9, "must have text")
    with pytest.raises(RowsError) as refusal:
        problems.check()
    told = ["a.jsonl has 6 problems:", "  lines 1, 2, 3 and 2 more must be a row", "  line 9 must have text"]
    assert str(refusal.value).splitlines() == told
    for line in range(30):
        problems.add(line, f"must not be {line}")
    with pytest.raises(RowsError, match=r"has 36 problems:(\n.*){20}\n  and 12 more$"):
        problems.check()


@pytest.mark.parametrize(
    ("row", "law"),
    [
        ({"b": 1, "a": 1}, "must have `text` or `caption`, but has a, b$"),
        ({}, "but has nothing$"),
        ({"text": None}, "must have a string as `text`, but got null$"),
        ({"text": [1]}, "but got a list$"),
        ({"text": {}}, "but got an object$"),
        ({"text": True}, "but got true$"),
    ],
)
def test_a_row_without_a_text_says_what_it_has(row: dict[str, object], law: str) -> None:
    with pytest.raises(UserError, match=law):
        text_in(row, keys=("text", "caption"))
    assert text_in({"caption": "a", "text": "b"}, keys=("text", "caption")) == "b"
