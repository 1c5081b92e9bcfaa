"""YAML by the rules of version 1.2: what is read is what stands there; what cannot be read is named with its place."""

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.files.strict_yaml import MAX_BYTES, MAX_DEPTH, YamlError, dumped, parse_yaml, read_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NUMBERS_AND_WORDS = st.from_regex(r"[-+]?[0-9.:_eE+xo-]{1,8}|yes|no|on|off|null|~|true|\.inf|<<|=", fullmatch=True)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | TEXT | NUMBERS_AND_WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | NUMBERS_AND_WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXT | NUMBERS_AND_WORDS, PLAIN, max_size=4))
def test_what_is_dumped_is_read_back_by_either_version(values: dict[str, Any]) -> None:
    text = dumped(values)
    assert parse_yaml(text, name="text") == values
    assert yaml.safe_load(text) == values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("62e-2", 0.62),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("+3", 3),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("2001-01-01", "2001-01-01"),
        ("no", "no"),
        ("On", "On"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'3'", "3"),
        ("!!str 3", "3"),
        ("!!float 3", 3.0),
        ("[1, [two, {a: 3}]]", [1, ["two", {"a": 3}]]),
        ("{a: &x {b: 1}, c: *x}", {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = parse_yaml(text, name="text")
    assert (type(found), found) == (type(value), value)


def test_a_key_that_is_given_twice_is_refused_with_both_places() -> None:
    text = "seed: 1\nsearch:\n  a: 1\n  a: 1\nseed: 1\n"
    with pytest.raises(YamlError) as error:
        parse_yaml(text, name="x.yaml")
    assert str(error.value).splitlines() == [
        "x.yaml has 2 problems:",
        "  line 4, column 3: `a` is given twice, first in line 3; keep one of them",
        "  line 5, column 1: `seed` is given twice, first in line 1; keep one of them",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: b: c",
        "a: 'x",
        "- a\nb: c",
        "a\n---\nb",
        "\ta: 1",
        "a: *nowhere",
        "a: !!bool x",
        "a: !!timestamp x",
        "a: !!int x",
        "a: !!int 2001-99-99",
        "a: !!binary x",
        "a: !!set {x}",
        "a: !!omap [x: 1]",
        "a: !!python/object/apply:os.getcwd []",
        "a: !mine 3",
        "3: a",
        "[a]: 3",
        "? {a: b}\n: 3",
        "null: 3",
        "a: " + "9" * 5000,
        "a: 0x" + "f" * 5000,
        'a: "\\0"',
        'a: "\\ud800"',
        "a: \x01",
        "a: &x [*x]",
        "a: &x {b: *x}",
        "a: " + "[" * 3000,
        "a: " + "[" * 60 + "]" * 60,
        "a: " + "{a: " * 60 + "}" * 60,
        "%YAML 9.9\n---\na: 1",
    ],
)
def test_what_cannot_be_read_is_one_error_with_a_name(text: str) -> None:
    with pytest.raises(YamlError, match=r"^some\.yaml"):
        parse_yaml(text, name="some.yaml")


def test_the_place_is_told() -> None:
    with pytest.raises(YamlError, match=r"^some\.yaml is not YAML: line 3, column 1: .*; close there"):
        parse_yaml("a: 1\nb: [\n", name="some.yaml")
    with pytest.raises(YamlError, match="line 2, column 6: must be a plain value, but is tagged '!!python/x'"):
        parse_yaml("a:\n  b: !!python/x 1\n", name="some.yaml")


def test_aliases_that_explode_are_refused_at_once() -> None:
    lines = ["z0: &z0 [1,1,1,1,1,1,1,1,1,1]"] + [
        f"z{i}: &z{i} [" + ",".join([f"*z{i - 1}"] * 10) + "]" for i in range(1, 10)
    ]
    start = time.process_time()
    with pytest.raises(YamlError, match=r"must hold at most 20,000 values, but holds [\d,]{13,}, aliases expanded"):
        parse_yaml("\n".join(lines), name="some.yaml")
    assert time.process_time() - start < 2


def test_depth_is_counted_within_each_branch() -> None:
    deepest, too_deep = ("[" * num + "]" * num for num in (MAX_DEPTH, MAX_DEPTH + 1))
    assert parse_yaml(deepest, name="text") is not None
    assert parse_yaml("[" + "[], " * 2 * MAX_DEPTH + deepest[1:-1] + "]", name="text") is not None
    for text in (too_deep, "[" + "[], " * 2 * MAX_DEPTH + too_deep[1:-1] + "]"):
        with pytest.raises(YamlError, match=f"must be nested at most {MAX_DEPTH} deep, but is deeper"):
            parse_yaml(text, name="text")


def test_a_chain_of_aliases_is_as_deep_as_it_expands() -> None:
    chain = ["a0: &a0 1", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 1000))]
    with pytest.raises(YamlError, match=f"must be nested at most {MAX_DEPTH} deep, but is 1001 deep"):
        parse_yaml("\n".join(chain), name="some.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_are_read_as_their_byte_order_mark_says(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_text("größe: 1\n", encoding=encoding)
    assert read_yaml(path) == {"größe": 1}


@pytest.mark.parametrize(
    ("content", "law"),
    [
        ("größe: 1".encode("cp1252"), r"must be text in UTF-8, but is not: .*; save it as UTF-8"),
        ("a: 1".encode("utf-16-le"), "is not YAML"),
        (b"\xff\xfea", "must be text in UTF-16"),
        (b"[1]", "must hold a mapping of settings, but holds list"),
        (b"", "must hold a mapping of settings, but holds NoneType"),
        (b"a: 1\n" + b"#" * MAX_BYTES, "must hold at most 262,144 bytes"),
    ],
)
def test_a_file_that_is_no_config_is_named(tmp_path: Path, content: bytes, law: str) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes(content)
    with pytest.raises(YamlError, match=rf"^{re.escape(str(path))} {law}"):
        read_yaml(path)
