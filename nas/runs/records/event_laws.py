"""Events of a trace that somebody may have edited: each must have the fields and types that its readers count on."""

import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from latency.documents.plain_values import validated
from nas.runs.events import KINDS, ActionEvaluated, ArchitectureEvaluated, Event
from nas.scores.intervals import Interval
from nas.scores.store import name_flaw

_KINDS: Final[dict[str, type[Event]]] = {kind.name: kind for kind in KINDS}
_EVALUATION: Final = ArchitectureEvaluated.name


def flaws(event: Mapping[str, Any], /) -> list[str]:
    """What an event lacks, or holds in another type, a sentence each; events of names that nobody knows are free."""
    wrong: list[str] = []
    kind = _KINDS.get(event["event"]) if isinstance(event["event"], str) else None
    if event["event"] == _EVALUATION:
        kind = ArchitectureEvaluated if event.get("action") is None else ActionEvaluated
        wrong.extend(_without_action(event))
    if kind is not None:
        validated(kind, {name: event[name] for name in event if name != "event"}, place="", wrong=wrong)
    for name in ("clip", "d_clip"):
        if isinstance(event.get(name), dict):
            validated(Interval, event[name], place=name, wrong=wrong)
    for name, parts in (("score", {"name"}), ("digests", {"protocol"}), ("runtime", set[str]())):
        wrong.extend(_broken_texts(event, name, parts))
    named = event["score"].get("name") if isinstance(event.get("score"), dict) else None
    if isinstance(named, str) and (flaw := name_flaw(named)):
        wrong.append(f"score.name: {flaw}")
    if event.get("runtime", {}) is None:
        wrong.append("runtime: must be an object")
    wrong.extend(f"{number}: must be a whole number of at most 64 bits" for number in beyond_64_bits(event))
    return wrong


def beyond_64_bits(document: Any, /) -> list[str]:
    """The whole numbers in plain values that no column of a table can hold, in short."""
    match document:
        case bool():
            return []
        case int():
            return [] if -(2**63) <= document < 2**63 else [reprlib.repr(document)]
        case list() | tuple():
            return [found for part in document for found in beyond_64_bits(part)]
        case dict():
            return [found for part in document.values() for found in beyond_64_bits(part)]
        case _:
            return []


def _without_action(event: Mapping[str, Any]) -> Iterator[str]:
    if "action" not in event:
        yield "action: must be there, but it is missing"


def _broken_texts(event: Mapping[str, Any], name: str, parts: set[str]) -> Iterator[str]:
    """Sentences about an object of an event that must hold some texts, where the event has it."""
    given = event.get(name)
    if name in event and given is not None and not isinstance(given, dict):
        yield f"{name}: must be an object"
    elif given:
        yield from (f"{name}.{part}: must be a text" for part in sorted(parts) if not isinstance(given.get(part), str))
