"""The spec of a run, edited: what it says is checked against its stages, its schema and the trace."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.runs.found_spec import check_found, read_found
from nas.runs.spec import SpecError, read_spec
from nas.runs.trace import read_trace

RUN = Path(__file__).parent / "goldens" / "run_0_1_0"
SPEC: dict[str, Any] = json.loads((RUN / "architecture.json").read_text(encoding="utf-8"))
TRACE = read_trace(RUN / "trace.jsonl")
REQUIRED = (
    "name", "arch_id", "round", "digests", "stop", "target_met", "num_params", "num_macs", "base_latency_ms",
    "predicted_latency_ms", "target_latency_ms", "base_clip", "clip",
)  # fmt: skip


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes a spec to a file of its own."""

    def write(spec: dict[str, Any]) -> Path:
        (tmp_path / "architecture.json").write_text(json.dumps(spec), encoding="utf-8")
        return tmp_path / "architecture.json"

    return write


def test_what_an_earlier_version_wrote_passes() -> None:
    assert read_found(RUN / "architecture.json")[1] == SPEC
    check_found(SPEC, TRACE, path=RUN)
    check_found(SPEC, (), path=RUN)


def test_another_architecture_under_an_old_name_is_refused(edited: Callable[[dict[str, Any]], Path]) -> None:
    spec = json.loads(json.dumps(SPEC))
    spec["stages"][0]["positions"][0]["cross_attentions"] = 0
    with pytest.raises(SpecError, match=r"`arch_id` in .* must be the digest of its `stages`, \w{16}, but is 'cd77"):
        read_spec(edited(spec))
    del spec["arch_id"]
    read_spec(edited(spec))


@pytest.mark.parametrize("key", REQUIRED)
def test_what_its_readers_count_on_must_be_there(key: str, edited: Callable[[dict[str, Any]], Path]) -> None:
    without = {name: value for name, value in SPEC.items() if name != key}
    for spec in (without, SPEC | {key: None}, SPEC | {key: []}):
        with pytest.raises(SpecError, match=rf"architecture\.json.*{key}|{key}.*architecture\.json"):
            read_found(edited(spec))


@pytest.mark.parametrize("name", ["a/b", "../x", ".x", "", "a\\b", "a\nb", "x" * 201])
def test_its_name_is_that_of_a_folder(name: str, edited: Callable[[dict[str, Any]], Path]) -> None:
    with pytest.raises(SpecError, match=r"architecture\.json is not the spec of a search: name: "):
        read_found(edited(SPEC | {"name": name}))


@pytest.mark.parametrize(
    ("key", "value"),
    [("round", 0), ("stop", "budget"), ("target_met", False), ("clip", 0.99), ("arch_id", "f7ca95a8a33bc3e1")],
)
def test_what_the_trace_does_not_say_is_refused(key: str, value: Any) -> None:
    with pytest.raises(SpecError, match=rf"must say what the trace of its run says, but .*`{key}` {value} is not so"):
        check_found(SPEC | {key: value}, TRACE, path=RUN / "architecture.json")
