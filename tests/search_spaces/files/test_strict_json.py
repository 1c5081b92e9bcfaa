"""Strict JSON: what can be read in two ways, or not at all, is refused with its place; the rest is read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.files.strict_json import MAX_DEPTH, JsonError, parse_json, read_json, read_json_object

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(DOCUMENTS, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_document_is_read_as_it_was_written_in_any_marked_encoding(document: Any, encoding: str) -> None:
    assert parse_json(json.dumps(document).encode(encoding)) == document


@given(st.binary(max_size=40))
def test_bytes_are_a_document_or_one_error(data: bytes) -> None:
    try:
        parse_json(data)
    except JsonError as error:
        assert str(error).startswith("must ")  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ('{"a": 1, "b": 2, "a": 1}', r"must hold every key once, but a stands twice"),
        ('{"rows": [{}, {"x": {"key": 1, "key": 2}}]}', r"but rows\[1\]\.x\.key stands twice"),
        ('[{"b": 1, "b": 1}, {"a": 1, "a": 1}]', r"but \[0\]\.b, \[1\]\.a stands twice"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "must be JSON nested at most 64 deep"),
        ("[" * 100_000, "must be JSON, but it cannot be read"),
        ("1" * 5_000, "must be JSON, but it cannot be read"),
        ('{"a": 1', r"must be JSON, but .* line 1 column"),
        ("", "must be JSON"),
        (b"\xff\xfe\xfd", "must be text in UTF-16, as its first two bytes say"),
        (b"\x80\xfd", "must be text in UTF-8"),
        (b'{"a": "\xe9"}', "must be text in UTF-8"),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(text: str | bytes, law: str) -> None:
    with pytest.raises(JsonError, match=law):
        parse_json(text)


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert parse_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": {"b": 1, "b": 2}}')
    with pytest.raises(JsonError, match=r"config\.json must hold every key once, but a\.b stands twice"):
        read_json(path)
    path.write_text("[1]")
    assert read_json(path) == [1]
    with pytest.raises(JsonError, match=r"config\.json must be a JSON object, but holds a list"):
        read_json_object(path)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("{" + "".join(f'"k{key}": 1, ' for key in range(100_000)) + '"k99999": 2}', r"but k99999 stands twice$"),
        ("[" + ", ".join(['{"a": 1, "a": 2}'] * 50_000) + "]", r"\[19\]\.a stands twice \(the first of 50,000\)$"),
        ("{" + ", ".join([f'"{"x" * 1_000_000}": 1'] * 2) + "}", r"but x+\.\.\.x+ stands twice$"),
    ],
    ids=["many keys", "many objects", "a long key"],
)
def test_doubled_keys_are_found_in_one_pass_and_named_in_short(text: str, law: str) -> None:
    """Hours where each key, or each object, is compared with all."""
    with pytest.raises(JsonError, match=law) as told:
        parse_json(text)
    assert len(str(told.value)) < 2_000


def test_an_object_that_a_later_key_replaced_has_no_place() -> None:
    with pytest.raises(JsonError, match=r"must hold every key once, but a stands twice$"):
        parse_json('{"a": {"b": 1, "b": 1}, "a": 2}')
