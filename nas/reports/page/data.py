"""The one value that a page is made of, from what was read of a run; pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nas.reports.limits import limit_sentences
from nas.reports.page.facts import blocks_of, decisions_of, evaluations_of, rounds_of, spent_by
from nas.reports.page.pictures import Album
from nas.reports.page.reading import Source
from nas.reports.page.tables import left_out_rows
from nas.reports.page.telling.answers import answers
from nas.reports.page.telling.headline import headline, standfirst
from nas.reports.page.telling.next_steps import next_steps, search_command
from nas.reports.page.values import (
    BlockStory,
    Estimate,
    Figure,
    Numbers,
    Provenance,
    ReportData,
    RoundView,
    Scored,
    Shown,
)
from nas.reports.page.words import counted, day, sentence
from nas.runs.frames.rounds import screened_rounds
from nas.runs.trace import time_of
from nas.scores.intervals import Interval


def report_data(source: Source, /, *, figures: Sequence[Figure] = (), notices: Sequence[str] = ()) -> ReportData:
    """All that a report says of a run.

    Args:
        source: What was read of it.
        figures: That stand in it.
        notices: What else is to be said of what is missing.
    """
    album = Album(source.pictures, found=(source.finished or {}).get("round"))
    rounds, decisions, evaluations = rounds_of(source, album), decisions_of(source), evaluations_of(source)
    blocks = blocks_of(source, album, rounds=rounds, decisions=decisions, evaluations=evaluations)
    numbers = _numbers(source, rounds=rounds, blocks=blocks, evaluations=evaluations)
    last = source.events[-1] if source.events else {}
    stop = str((source.finished or {}).get("stop", ""))
    steps = next_steps(
        run=str(source.path),
        state=source.state,
        stop=stop,
        numbers=numbers,
        decisions=decisions,
        score=source.score,
        export=source.export,
        num_prompts=_at(source.config, "validation", "num_prompts"),
        num_captions=source.num_captions,
    )
    return ReportData(
        title=source.path.resolve().name,
        state=source.state,
        stop=stop,
        ended=day(time_of(last)),
        score=source.score,
        headline=headline(numbers, state=source.state, score=source.score),
        standfirst=(
            *standfirst(numbers, state=source.state, score=source.score, num_rounds=len(rounds)),
            *map(sentence, screened_rounds(source.events)),
            *map(sentence, limit_sentences(source.events)),
        ),
        notices=(*_notices(source, album, rounds=rounds, blocks=blocks), *notices),
        numbers=numbers,
        answers=answers(
            numbers=numbers,
            blocks=blocks,
            decisions=decisions,
            evaluations=evaluations,
            rounds=rounds,
            score=source.score,
            steps=steps,
        ),
        next_steps=steps,
        blocks=blocks,
        rounds=rounds,
        decisions=decisions,
        evaluations=evaluations,
        pairs=_pairs(rounds),
        pictures=tuple(album.taken.values()),
        figures=tuple(figures),
        provenance=_provenance(source),
        left_out=(*filter(None, (album.left_out,)), *left_out_rows(evaluations, blocks)),
    )


def _numbers(
    source: Source, *, rounds: Sequence[RoundView], blocks: Sequence[BlockStory], evaluations: Sequence[Scored]
) -> Numbers:
    started, finished = source.started, source.finished
    result = next((view for view in reversed(rounds) if view.is_found), rounds[-1] if rounds else None)
    first = rounds[0] if rounds else None
    is_removal = [each for each in evaluations if each.action.startswith("-") and first and each.round == first.round]
    counts = {block.name: block.counts[result.index] if result else block.num_base for block in blocks}
    changes = [(counts[block.name], block.num_base) for block in blocks]
    held_out = _held_out(source.spec)
    base = _at(source.spec or {}, "base", "num_params")
    if base is None and first and all(block.counts[0] == block.num_base for block in blocks):
        base = first.num_params
    turned = -1 if source.score.higher_is_better else 1
    is_base = first is None or all(block.counts[0] == block.num_base for block in blocks)
    return Numbers(
        origin="base" if is_base else "start",
        is_start=source.finished is not None and result is first,
        base_latency_ms=started.get("base_latency_ms"),
        target_latency_ms=started.get("target_latency_ms"),
        latency_ms=result.latency_ms if result else None,
        base_num_params=base,
        num_params=result.num_params if result else None,
        base_score=first.score if first else None,
        score=result.score if result else None,
        difference=_change(source.loss, turned),
        num_prompts=source.loss.num_prompts if source.loss else result.num_prompts if result else None,
        confidence=float(_at(source.config, "validation", "confidence") or 0.95),
        num_removable=len(is_removal),
        num_blocks=sum(block.num_base for block in blocks),
        num_gone=sum(max(own - now, 0) for now, own in changes),
        num_copied=sum(max(now - own, 0) for now, own in changes),
        measured=source.measured,
        held_out=held_out.get("found"),
        base_held_out=held_out.get("base"),
        held_out_difference=_change(held_out.get("loss"), turned),
        num_held_out=_at(source.spec or {}, "held_out", "found", "num_prompts"),
        spent=spent_by(source.events) if source.events else None,
        target_met=finished["target_met"] if finished else None,
    )


def _change(loss: Interval | Estimate | None, sign: int) -> Estimate | None:
    """Found minus base: what was lost, turned round by -1 where a higher score is better."""
    if loss is None:
        return None
    low, high = sorted((sign * loss.low, sign * loss.high))
    return Estimate(mean=sign * loss.mean, low=low, high=high)


def _held_out(spec: Mapping[str, Any] | None) -> dict[str, Estimate]:
    """Scores on captions that took no part in the search, where a spec has them under `held_out`."""
    kept = (spec or {}).get("held_out")
    if not isinstance(kept, Mapping):
        return {}
    return {
        name: Estimate(mean=each["mean"], low=each["low"], high=each["high"])
        for name, each in kept.items()
        if isinstance(each, Mapping) and {"mean", "low", "high"} <= each.keys()
    }


def _notices(
    source: Source, album: Album, *, rounds: Sequence[RoundView], blocks: Sequence[BlockStory]
) -> tuple[str, ...]:
    notices = list(source.notices)
    if not source.events:
        notices.append("Nothing has happened yet: the trace holds no event.")
    elif not blocks:
        notices.append("There is no drawing: the run does not say the base model's architecture as stages of a UNet.")
    if rounds and not any(shown.key for view in rounds for shown in view.pictures):
        notices.append("There are no pictures: the run, or the store that it shares, holds none.")
    if album.num_damaged:
        notices.append(f"{counted(album.num_damaged, 'picture')} could not be read and are left out.")
    return tuple(sentence(notice) for notice in notices)


def _pairs(rounds: Sequence[RoundView]) -> tuple[tuple[Shown, Shown], ...]:
    result = next((view for view in reversed(rounds) if view.is_found), rounds[-1] if rounds else None)
    if result is None or result is rounds[0]:
        return ()
    pairs = zip(rounds[0].pictures, result.pictures, strict=False)
    return tuple((before, after) for before, after in pairs if before.key and after.key)


def _provenance(source: Source) -> Provenance:
    started, environment, spec = source.started, source.environment, source.spec or {}
    machine = environment.get("machine") or {}
    rows = {
        "model": _at(source.config, "model"),
        "latency table": _at(source.config, "latency_table") or _at(source.config, "latency_source", "name"),
        "algorithm": _at(source.config, "search", "algorithm"),
        "seed": _at(source.config, "seed"),
        "found": spec.get("name"),
        "architecture": spec.get("arch_id"),
        "machine": " ".join(str(machine[key]) for key in ("system", "processor") if machine.get(key)),
        "processors": machine.get("num_cpus"),
        "GPUs": ", ".join(map(str, environment.get("cuda_devices") or ())),
        "Python": environment.get("python"),
        "commit": environment.get("commit"),
        "table distrusted": started.get("runtime", {}).get("distrust"),
    }
    libraries = environment.get("libraries") or {}
    digests = spec.get("digests") or started.get("digests") or {}
    return Provenance(
        command=search_command(str(source.path), out=f"{source.path}-again"),
        path=str(source.path),
        rows=tuple((key, _plain(value)) for key, value in rows.items() if value not in (None, "")),
        digests=tuple((str(key), str(value)) for key, value in digests.items()),
        libraries=tuple((str(key), str(value)) for key, value in libraries.items() if value),
        config=source.config_text,
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _at(data: Mapping[str, Any], *keys: str) -> Any:
    """What stands at nested keys; None where one is missing."""
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
