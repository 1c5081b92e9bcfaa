import copy
import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

import latency
from latency import (
    Check,
    LatencyTableError,
    LatencyTableWarning,
    TableRow,
    csv_text,
    read_table,
    table_text,
    write_csv,
    write_table,
)
from latency.documents.document import KEY_FIELDS, PARTS, VALUE_FIELDS, from_document, to_document
from search_spaces import BlockSignature
from search_spaces.files.durable.places import PlaceError
from tests.latency.strategies import small_space, table_of, tables
from tests.leisure import examples

SCHEMA = json.loads((Path(latency.__file__).parent / "schema_v1.json").read_text())
TABLE = table_of(small_space())


@given(tables())
@examples(50)
def test_a_table_survives_json(table):
    again = from_document(json.loads(table_text(table)))
    assert again == table
    assert again.digest == table.digest


@given(tables())
@examples(25)
def test_what_is_written_follows_the_published_schema(table):
    jsonschema.validate(json.loads(table_text(table)), SCHEMA)


@given(tables())
@examples(25)
def test_the_csv_twin_holds_the_same_rows(table):
    flat = list(csv.DictReader(io.StringIO(csv_text(table), newline="")))
    assert len(flat) == len(table.rows)
    for line, row in zip(flat, table.rows, strict=True):
        assert tuple(line) == (*KEY_FIELDS, *VALUE_FIELDS)
        for name in KEY_FIELDS:
            assert line[name] == str(getattr(row.signature, name))
        for name in ("median_ms", "p10_ms", "p90_ms", "min_ms", "mean_ms", "std_ms"):
            assert float(line[name]) == getattr(row, name)
        assert tuple(line["sites"].split()) == row.sites


def test_the_published_schema_names_exactly_the_fields_of_the_values():
    properties = SCHEMA["properties"]
    assert set(properties) == {"schema_version", *PARTS, "rows"}
    for name, kind in PARTS.items():
        assert set(properties[name]["properties"]) == {f.name for f in fields(kind)}
    own = {f.name for f in (*fields(BlockSignature), *fields(TableRow))} - {"signature"}
    assert set(properties["rows"]["items"]["properties"]) == own


def test_a_file_is_read_back_and_replaced_as_a_whole(tmp_path):
    path = tmp_path / "table.json"
    write_table(TABLE, path)
    assert read_table(path) == TABLE
    other = replace(TABLE, device=replace(TABLE.device, name="tablet"))
    write_table(other, path)
    assert read_table(path) == other
    write_csv(TABLE, tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_bytes().decode() == csv_text(TABLE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["table.csv", "table.json"]


def edited(*changes):
    """A good document with values set at paths; `...` takes the key away."""
    document = copy.deepcopy(to_document(TABLE))
    for path, value in changes:
        part = document
        for step in path[:-1]:
            part = part[step]
        if value is ...:
            del part[path[-1]]
        else:
            part[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema_version",), 2, "`schema_version` 1, but got 2"),
        (("schema_version",), ..., "`schema_version` 1, but got None"),
        (("colour",), "red", "colour: is no key of the schema"),
        (("device",), ..., "device: must be there"),
        (("device", "name"), 3, "device.name: must be a valid string, but got 3"),
        (("device", "nmae"), "x", "device.nmae: is no key of the schema"),
        (("runtime", "options"), {"threads": 1}, "runtime.options.threads: must be a string, but got 1"),
        (("workload", "batch"), "1", "workload.batch: must be a valid integer, but got '1'"),
        (("workload", "batch"), 0, "workload: numbers of a workload must be from 1"),
        (("protocol", "method"), "guessed", "protocol.method: must be 'isolated'"),
        (("end_to_end", "p10_ms"), 1e9, "end_to_end: p10_ms <= median_ms <= p90_ms"),
        (("check", "kendall_tau"), 2.0, "check: `kendall_tau` must lie in -1..1"),
        (("rows",), {}, "rows: must be a list of rows, but got dict"),
        (("rows",), [], "`rows` must hold at least one row"),
        (("rows", 3), 7, "rows[3]: must be an object"),
        (("rows", 3, "median_ms"), "fast", "rows[3].median_ms: must be a valid number, but got 'fast'"),
        (("rows", 3, "median_ms"), True, "rows[3].median_ms: must be a valid number, but got True"),
        (("rows", 3, "median_ms"), -1.0, "`median_ms` must be positive and finite, but got -1.0"),
        (("rows", 3, "median_ms"), ..., "rows[3].median_ms: must be there, but it is missing"),
        (("rows", 3, "kind"), "resnext", "rows[3].kind: must be 'resnet'"),
        (("rows", 3, "in_channels"), -4, "rows[3]: numbers of a block signature must be from 0"),
        (("rows", 3, "milliseconds"), 1.0, "rows[3].milliseconds: is no key of the schema"),
        (("rows", 3, "sites"), [5], "rows[3].sites[0]: must be a valid string, but got 5"),
    ],
)
def test_bad_input_is_refused_with_its_place(path, value, words, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps(edited((path, value))))
    with pytest.raises(LatencyTableError) as error:
        read_table(tmp_path / "bad.json")
    assert words in str(error.value)
    assert "bad.json" in str(error.value)


def test_all_violations_are_reported_at_once():
    document = edited(
        (("device", "name"), None), (("rows", 1, "median_ms"), "fast"), (("rows", 2, "p10_ms"), 1e9), (("extra",), 1)
    )  # fmt: skip
    document["rows"].append(document["rows"][0])
    with pytest.raises(LatencyTableError) as error:
        from_document(document)
    lines = str(error.value).splitlines()
    starts = ("extra:", "device.name:", "rows[1].median_ms:", "rows[2]: ", f"rows[{len(document['rows']) - 1}]: a key")
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


@pytest.mark.parametrize("text", ["", "{", "[]", "nothing", '{"schema_version": 1}'])
def test_files_that_hold_something_else_are_refused(text, tmp_path):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(LatencyTableError, match=r"other\.json"):
        read_table(tmp_path / "other.json")


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="nas latency measure"):
        read_table(tmp_path / "none.json")


def with_sum(ratio):
    assert TABLE.end_to_end is not None
    times: dict[str, Any] = dict.fromkeys(("median_ms", "p10_ms", "p90_ms"), TABLE.base_ms / ratio)
    whole = replace(TABLE.end_to_end, **times)
    return replace(TABLE, end_to_end=whole, check=Check(sum_over_end_to_end=ratio))


@pytest.mark.parametrize("ratio", [0.8, 1.3])
def test_a_sum_off_by_more_than_a_tenth_is_written_only_when_allowed_and_read_with_a_warning(ratio, tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(LatencyTableError, match=r"0\.90 \.\. 1\.10 .*--allow-mismatch"):
        write_table(with_sum(ratio), path)
    assert not path.exists()
    write_table(with_sum(ratio), path, allow_mismatch=True)
    with pytest.warns(LatencyTableWarning, match=f"but got {ratio:.3f}"):
        assert read_table(path) == with_sum(ratio)


@pytest.mark.parametrize("ratio", [0.4, 2.1])
def test_a_sum_off_by_more_than_two_is_neither_written_nor_read(ratio, tmp_path):
    path = tmp_path / "table.json"
    with pytest.raises(LatencyTableError, match="wrong unit or batch"):
        write_table(with_sum(ratio), path, allow_mismatch=True)
    path.write_text(table_text(with_sum(ratio)))
    with pytest.raises(LatencyTableError, match="wrong unit or batch"):
        read_table(path)


@pytest.mark.parametrize("content", ["file,median_ms\nblock.onnx,3.2\n", '{"schema_version": 1, "models": []}', "[]"])
def test_what_is_no_table_is_not_replaced_by_one(tmp_path, content):
    path = tmp_path / "results.csv"
    path.write_text(content)
    with pytest.raises(PlaceError, match=r"results\.csv is to become a latency table, but a file that is none stands"):
        write_table(TABLE, path)
    assert path.read_text() == content


def test_a_table_of_another_version_without_any_row_is_replaced(tmp_path):
    path = tmp_path / "table.json"
    path.write_text('{"schema_version": 2, "rows": []}')
    write_table(TABLE, path)
    assert read_table(path) == TABLE
