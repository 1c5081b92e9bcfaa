"""Limits, targets and what they saved, in words: from the events of a trace. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

NAMES: Final = {"latency_ms": "latency", "num_params": "parameters", "num_macs": "multiply-accumulates"}


def limit_sentences(events: Sequence[Mapping[str, Any]], /) -> Iterator[str]:
    """What a search had to keep beside its target, what it misses, and what the cheap limits spared it."""
    starts = [event for event in events if event["event"] in ("search_started", "search_extended")]
    if starts and (limits := starts[-1].get("limits")):
        kept = (f"{NAMES.get(name, name)} {'no worse than' if name == 'score' else 'at most'} {_number(limit)}"
                for name, limit in limits.items())  # fmt: skip
        yield f"limits: {'; '.join(kept)}"
    refused = [event for event in events if event["event"] == "refused"]
    if refused:
        num, pictures = (sum(event[key] for event in refused) for key in ("num_architectures", "num_pictures"))
        yield f"limits refused {num:,} architectures before they were scored, which saved up to {pictures:,} pictures"
    finish = events[-1] if events and events[-1]["event"] == "search_finished" else {}
    if finish.get("missed_by"):
        yield f"NOT KEPT: {in_words(finish['missed_by'])}"
    for result in finish.get("results") or ():
        missed = in_words(result["missed_by"])
        if "score" in result:
            aim = f"on the front: {result['latency_ms']:.3f} ms, score {result['score']:.4f}"
        else:
            aim = f"target {result['target_latency_ms']:.3f} ms"
        yield (
            f"{aim}: round {result['round']}, architecture {result['arch_id']}"
            + (f", which misses it: {missed}" if missed else "")
        )


def in_words(missed_by: Mapping[str, float], /) -> str:
    """By how much which limit is missed: "latency by 0.3 ms; parameters by 12,000"; "" where all are kept."""
    units = {"latency_ms": " ms"}
    return "; ".join(
        f"{NAMES.get(name, name)} by {_number(excess)}{units.get(name, '')}" for name, excess in missed_by.items()
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1e4 else f"{value:.4g}"
