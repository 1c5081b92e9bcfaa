"""The published JSON Schema of specs against the specs that are written, and reading them back."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import nas
from nas.runs.spec import SpecError, check_base, describe, read_spec
from search_spaces import Architecture, SpaceForm, space_from_config
from search_spaces.known.architectures import SD15_CONFIG, sd15_space
from tests.nas.searching import read_json
from tests.strategies import architectures

SPACE = sd15_space()
STOCK = space_from_config(SD15_CONFIG, form=SpaceForm.STOCK)
SCHEMA = json.loads((Path(nas.__file__).parent / "spec_schema_v1.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@given(st.one_of(architectures(SPACE), architectures(STOCK)))
def test_spec_to_json_to_spec(architecture: Architecture) -> None:
    spec = json.loads(json.dumps(describe(architecture, space=SPACE, model="sd15")))
    VALIDATOR.validate(spec)
    VALIDATOR.validate(architecture.to_dict())
    assert Architecture.from_dict(spec) == architecture
    assert spec["arch_id"] == architecture.arch_id
    check_base(spec, space=SPACE, name="sd15", path=Path("spec.json"))


def test_what_a_search_writes_is_valid_and_names_itself(run: Path) -> None:
    spec = read_json(run / "architecture.json")
    VALIDATOR.validate(spec)
    assert spec["name"] == f"pipeline_lat@{spec['predicted_latency_ms']:.1f}ms_clip@{spec['clip']:.2f}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not a spec"),
        ("[]", "must have `schema_version` 1, but got 'list'"),
        ('{"schema_version": 2, "stages": []}', "must have `schema_version` 1, but got 2"),
        ('{"schema_version": 1}', "`stages` must be a list"),
        ('{"schema_version": 1, "stages": [{"place": "left.0", "positions": []}]}', "must be mid, down.<n> or up.<n>"),
        (b"\xff\xfe", "is not a spec"),
    ],
)
def test_what_is_no_spec_is_named(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SpecError, match=message):
        read_spec(path)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["schema_version", "stages", "place", "positions", "source", "base"]), inner), max_leaves=8))  # fmt: skip  # noqa: E501
def test_no_json_gives_a_traceback_from_inside(data: Any) -> None:
    try:
        Architecture.from_dict(data)
    except ValueError:
        return
    assert VALIDATOR.is_valid(data)
