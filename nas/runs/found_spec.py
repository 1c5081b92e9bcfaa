"""The spec of a run, read back: all that its readers count on is there, and it says what the run's trace says."""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from latency.documents.plain_values import validated
from nas.runs.directory import RESULTS
from nas.runs.spec import SpecError, read_spec
from search_spaces.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class _Score:
    """What a spec must say of the score that it was found by."""

    name: str
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What the spec of a run must hold for those who read it; the rest is for the record."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    arch_id: str
    round: Annotated[int, Field(ge=0)]
    digests: dict[str, str]
    stop: str
    target_met: bool
    num_params: int
    num_macs: int
    base_latency_ms: float
    predicted_latency_ms: float
    target_latency_ms: float
    base_clip: float
    clip: float
    job: Annotated[int, Field(ge=0)] = 0
    scored_by: _Score | None = None


def read_found(path: Path, /) -> tuple[Architecture, dict[str, Any]]:
    """The same of the spec that a search wrote, with all that its readers count on.

    Raises:
        SpecError: The file is missing, not a spec, or not one that a search wrote.
    """
    architecture, data = read_spec(path)
    wrong: list[str] = []
    found = validated(_Found, data, place="", wrong=wrong)
    if found is not None:
        wrong += [
            f"digests.{name}: must be there, but it is missing"
            for name in ("model", "weights")
            if name not in found.digests
        ]
        if set(found.name) & {"/", "\\"} or not found.name.isprintable() or found.name[0] == ".":
            wrong.append(f"name: must be the name of a folder, but got {reprlib.repr(found.name)}")
    if wrong:
        raise SpecError(
            f"{path} is not the spec of a search: {'; '.join(wrong)}; restore the file, or run the search's own "
            "command, which writes it again"
        )
    return architecture, data


def check_found(spec: Mapping[str, Any], events: Iterable[Mapping[str, Any]], /, *, path: Path) -> None:
    """Check what a run's spec says of its search against the run's trace.

    Args:
        spec: As `read_found` gives it.
        events: Of the trace; none where it is gone, which proves nothing.
        path: The spec's, for the message.

    Raises:
        SpecError: No search of the trace ended so.
    """
    events = list(events)
    keys = ("round", "arch_id", "stop", "target_met")
    finished = [event for event in events if event["event"] == "search_finished"]
    ends = [{key: event[key] for key in keys} for event in finished]
    beside = [
        {"round": result.get("round"), "arch_id": result.get("arch_id"), "stop": event["stop"]}
        | {"target_met": not result.get("missed_by")}
        for event in finished
        for result in event.get("results") or ()
    ]
    if path.parent.name == RESULTS:
        ends = beside  # none: the trace lists the first alone, as that of a re-ranking does
    said = {key: spec[key] for key in keys}
    wrong = [] if not ends or said in ends else [key for key in keys if said[key] != ends[-1][key]]
    scores = [
        event["clip"]["mean"]
        for event in events
        if event["event"] == "evaluation" and (event["round"], event["arch_id"]) == (spec["round"], spec["arch_id"])
    ]
    if scores and spec["clip"] not in scores:
        wrong.append("clip")
    if wrong:
        given = ", ".join(f"`{key}` {spec[key]}" for key in wrong)
        raise SpecError(
            f"{path} must say what the trace of its run says, but {given} is not so there; run the "
            "search's own command, which writes it again"
        )
